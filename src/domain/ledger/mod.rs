//! The ledger: an append-only log of what was committed, as a Merkle tree (RFC 6962, section 2.1) over SHA-256.
//!
//! - An [`Entry`] is one line of history: a batch was signed, a key was added or retired, a backup was accepted. Its text
//!   is the data of a leaf, and the leaf with sequence number `n` has the index `n - 1`.
//! - An [`Edge`] is all that is needed of a tree to append to it and to know its root.
//! - A [`RecordsTree`] names the records of one batch, with their digests, names and signatures, in 32 bytes.
//! - A [`Receipt`] is an entry at its place, and a [`Head`] is the ledger up to there.
//! - [`LostBatches`] names the batches that are lost.
//! - [`paths`] shows that a leaf is in a tree, and that one tree continues another.
//! - A [`Checkpoint`] states the root at one size. It is published as the text of a [`Note`].
//! - A [`Bundle`] has all of this for one record. [`Levels`] makes its paths.
//!
//! This module hashes, but neither signs nor verifies signatures.

mod bundle;
mod checkpoint;
mod edge;
mod entry;
mod hash;
mod head;
mod levels;
mod lost;
mod note;
#[cfg(test)]
mod oracle;
mod origin;
pub mod paths;
mod receipt;
mod records;

pub use bundle::{Bundle, Inclusion};
pub use checkpoint::{BadCheckpoint, Checkpoint};
pub use edge::{BadEdge, Edge};
pub use entry::{BadEntry, BatchSigned, Entry, KeyChange, KeyChanged, Reason, Restored};
pub use hash::{Hash, HashError, leaf_hash, node_hash};
pub use head::Head;
pub use levels::Levels;
pub use lost::LostBatches;
pub use note::{BadNote, BadVerifierKey, Note, NoteSignature, VerifierKey};
pub use origin::{BadOrigin, LedgerId, Origin};
pub use receipt::Receipt;
pub use records::{RecordsTree, name_hash, record_leaf};
