//! Identifiers. Each has a separate type, so that they cannot be mixed up.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A record: assigned by the database, positive, never reused.
    RecordId
);
id!(
    /// A batch: ids rise in the order in which batches are formed.
    BatchId
);
id!(
    /// A key in this database. Across databases a key is named by its [`Fingerprint`](super::Fingerprint).
    KeyId
);
id!(
    /// A node: a signing process from its registration on. A process that registers again gets another id.
    NodeId
);
id!(
    /// A row of the audit log: numbered from 1, without gaps.
    AuditId
);
id!(
    /// A message that was refused: assigned by the database.
    RefusedId
);
id!(
    /// The lease number of a batch, 0 before the first lease. It rises at each lease, release and
    /// reclaim, and never falls: a node that holds an older epoch is fenced.
    Epoch
);

impl Epoch {
    /// The epoch after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
