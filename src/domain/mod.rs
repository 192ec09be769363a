//! Layer 1, the rules: pure code, without I/O, clocks, actors or databases.

mod batch;
mod change;
mod digest;
mod fence;
mod fingerprint;
mod ids;
mod key;
mod lease;
pub mod promises;
mod runs;
mod scheme;
mod scope;
mod token;
mod verdict;

pub use batch::{BatchRow, BatchState, UnknownBatchState};
pub use change::{Action, By, UnknownWho, Who};
pub use digest::{Digest, DigestAlgorithm};
pub use fence::{Holding, fence, outcomes};
pub use fingerprint::{Fingerprint, FingerprintError};
pub use ids::{AuditId, BatchId, Epoch, KeyId, NodeId, RecordId};
pub use key::{
    ContradictoryCustody, KeyMaterial, KeyState, KeyUse, StoredKey, UnknownKeyState, least_recently_used,
};
pub use lease::{Lease, OpenBatch, SignatureBuf, SignedBatch, WrongCount};
pub use runs::{Runs, RunsError};
pub use scheme::{Scheme, UnknownScheme};
pub use scope::{Scope, Scopes, UnknownScope};
pub use token::{SecretHash, TokenId, TokenIdError, TokenName, TokenNameError, TokenState};
pub use verdict::{CommitVerdict, InsertVerdict, Outcome};
