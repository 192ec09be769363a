//! Layer 1, the rules: pure code, without I/O, clocks, actors or databases.

mod batch;
mod change;
mod custody;
mod digest;
mod feed;
mod fence;
mod fingerprint;
mod ids;
mod key;
mod lease;
pub mod ledger;
mod limits;
pub mod promises;
mod refusal;
mod runs;
mod scheme;
mod scope;
mod time;
mod token;
mod verdict;
mod webhook;

pub use batch::{BatchRow, BatchState, UnknownBatchState};
pub use change::{Action, By, UnknownWho, Who};
pub use custody::{CustodianName, CustodianNameError, Reach};
pub use digest::{Digest, DigestAlgorithm};
pub use feed::{FeedId, FeedIdError, Place, Position, PositionError};
pub use fence::{Holding, fence, outcomes};
pub use fingerprint::{Fingerprint, FingerprintError};
pub use ids::{AuditId, BatchId, Epoch, KeyId, NodeId, RecordId, RefusedId};
pub use key::{
    ContradictoryCustody, IdleKey, IdleKeys, KeyMaterial, KeyState, KeyUse, StoredKey, UnknownKeyState,
};
pub use lease::{Contents, Lease, OpenBatch, SignatureBuf, SignedBatch, WrongCount};
pub use limits::{
    Barred, KeyLimits, LimitChange, LimitRefusal, MaxSignatures, MaxSignaturesError, UnknownBarred,
};
pub use refusal::{Refusal, UnknownRefusal};
pub use runs::{Runs, RunsError};
pub use scheme::{Scheme, UnknownScheme};
pub use scope::{Scope, Scopes, UnknownScope};
pub use time::{Time, TimeError};
pub use token::{SecretHash, SessionParent, TokenId, TokenIdError, TokenName, TokenNameError, TokenState};
pub use verdict::{ArrivalVerdict, CommitVerdict, InsertVerdict, Outcome, RetryVerdict};
pub use webhook::{
    AfterFailure, LONGEST_RETRY_AFTER, UnknownWebhookState, WebhookName, WebhookNameError, WebhookState,
};
