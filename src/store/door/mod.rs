//! The door: everything that Sign Wave asks of a database, as one trait per subject. Each method is one
//! short transaction.

mod access;
mod audit;
mod batches;
mod commits;
mod feed;
mod keys;
mod leases;
mod ledger;
mod lookup;
mod news;
mod nodes;
mod outlets;
mod reading;
mod records;
mod refused;
mod restores;
mod sessions;
mod status;
mod webhooks;

pub use access::{
    Access, AddTokenVerdict, AuditRow, Credential, NewToken, RevokeTokenVerdict, RotateTokenVerdict,
    Rotation, StoredToken, TokenRow,
};
pub use audit::Audit;
pub use batches::{Batching, OpenBatches, OpenedBatches};
pub use commits::Committing;
pub use feed::{Feed, FeedBatch, FeedEnd};
pub use keys::{
    AddKeyVerdict, CertificatesVerdict, KeyLimitsVerdict, KeyPool, KeyStateVerdict, NewCertificates, NewKey,
    Reseal, ResealVerdict,
};
pub use leases::{Inventory, Leasing};
pub use ledger::{Heads, LedgerRow, Ledgers, SealedLedgerKey};
pub use lookup::{
    BatchPage, BatchSummary, KeyOrder, KeyPage, Lookup, OldestUnsigned, RecordName, RecordRow, Wanted,
};
pub use news::{Listener, News};
pub use nodes::{Nodes, Reclaimed, RenewVerdict};
pub use outlets::{AdvanceVerdict, Claim, ClaimVerdict, OutletRow, Outlets, ResetTo, ResetVerdict};
pub use reading::{KeyRow, Reading, SignedRow};
pub use records::{Intake, NewRecord, OnConflict, PayloadVisitor};
pub use refused::{Arrival, Arrivals, RefusedRow, RetryName};
pub use restores::{AcceptVerdict, Acceptance, HealVerdict, Healing, LostRecord, Restores};
pub use sessions::{AddSessionVerdict, NewSession, SessionOrigin, Sessions};
pub use status::{BarredKeys, BatchesByState, KeysByState, NodeRow, Status};
pub use webhooks::{
    AddWebhookVerdict, ClaimWebhookVerdict, ClaimedWebhook, NewWebhook, ResealWebhooksVerdict, Settlement,
    StoredWebhook, WebhookRow, Webhooks,
};

/// A database of records, keys, batches, signatures and nodes: the sum of all subjects. A caller that
/// needs one subject takes that trait instead; a `&dyn Store` becomes a `&dyn Reading` by itself.
///
/// Methods take `&self`: an implementation keeps its own connections, writers apart from readers, so that a
/// long read never delays a commit. Times are RFC 3339 texts in UTC, by the database's own clock.
pub trait Store:
    Intake
    + Arrivals
    + Batching
    + Leasing
    + Committing
    + Nodes
    + KeyPool
    + Access
    + Sessions
    + Reading
    + Ledgers
    + Heads
    + Feed
    + Outlets
    + Webhooks
    + Lookup
    + Audit
    + News
    + Send
    + Sync
{
}

impl<T> Store for T where
    T: Intake
        + Arrivals
        + Batching
        + Leasing
        + Committing
        + Nodes
        + KeyPool
        + Access
        + Sessions
        + Reading
        + Ledgers
        + Heads
        + Feed
        + Outlets
        + Webhooks
        + Lookup
        + Audit
        + News
        + Send
        + Sync
{
}
