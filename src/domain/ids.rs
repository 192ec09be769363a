//! Identifiers, each a type of its own so that no two can be mixed up.

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
    /// A batch: rises in the order in which batches were formed.
    BatchId
);
id!(
    /// A key in this database. Across databases a key is named by its [`Fingerprint`](super::Fingerprint).
    KeyId
);
id!(
    /// One start of one signing process: a process that registers again gets another id.
    NodeId
);
id!(
    /// The lease number of a batch, 0 before the first lease. It rises at each lease, release and
    /// reclaim, and never falls: whoever holds an older one is fenced off.
    Epoch
);

impl Epoch {
    /// The epoch after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
