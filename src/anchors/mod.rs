//! Layer 2, anchors: files outside of the database that remember the ledger, so that a database which was put back in
//! time, or exchanged, is noticed before anything is signed.
//!
//! ```text
//! signwave/anchor/v1 signwave/0123456789abcdef/1
//! B <seq> <batch id> <runs> <epoch> <fingerprint> <leaf>     an entry of the next H: a batch
//! E <seq> <leaf>                                             an entry of the next H: of another kind
//! H <size> <root> <previous size> <previous root>            a commit is about to lead from the second head to the first
//! C <size>                                                   that commit was made
//! X <size>                                                   that commit was rolled back
//! S <size> <root>                                            the database was seen to have this head
//! ```
//!
//! Hashes are in base64. The lines up to H are synced to the disk within the transaction, before its COMMIT. So whatever
//! anybody was shown is in the file. C, X and S are synced with the next H, or 100 ms later.
//!
//! # A commit
//! In the transaction, last of its steps: ask what is [`expected`](Anchors::expected), lock and read the ledger, and
//! [`compare`](Expected::compare). Append receipts to its edge, and [`intend`](Permit::intend) them. Say of the [`Pending`]
//! that it was committed, or rolled back; where the outcome is unknown, drop it.
//!
//! # What is known
//! The ledger's row is locked from H to the end of its transaction, and the previous head is read under that lock. Hence:
//! - The previous head of an H was committed, whether the H before it has a C or not.
//! - Only the last H of a file can be undecided. It counts when the database has its root at its size, and not before.
//!
//! # What is left
//! If the machine dies between a COMMIT and the sync of its C, and a backup of exactly the commit before is put back, then
//! this is not noticed.

mod anchor_file;
mod anchors;
mod check;
mod claims;
mod error;
mod line;
mod memory;
mod read;
mod state;
mod syncing;
mod tail;

pub use anchors::{Anchors, Missing};
pub use check::{Expected, Pending, Permit, Standing};
pub use claims::Claim;
pub use error::AnchorError;
pub use line::{Intended, IntendedBatch};
pub use read::{Attempt, Outcome, Passage, Reader, read};
