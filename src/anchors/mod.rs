//! Layer 2, anchors: files, and databases, outside of the database that remember the ledger, so that a database which was put back in
//! time, or exchanged, is noticed before anything is signed.
//!
//! ```text
//! signwave/anchor/v1 signwave/0123456789abcdef/1
//! B <seq> <batch id> <runs> <epoch> <fingerprint> <leaf>     an entry of the next H: a batch
//! E <seq> <leaf> <entry>                                     an entry of the next H: of another kind, its text in base64
//! K <seq> <entry>                                            the database was seen to have this entry, which is no batch
//! H <size> <root> <previous size> <previous root>            a commit is about to lead from the second head to the first
//! C <size>                                                   that commit was made
//! X <size>                                                   that commit was rolled back
//! S <size> <root>                                            the database was seen to have this head
//! N <origin>                                                 the end: a restore was accepted, which began this incarnation
//! ```
//!
//! Hashes are in base64. The lines up to H are made durable within the transaction, before its COMMIT. So whatever
//! anybody was shown is in the anchor. C, X, K and S are synced with the next H, or 100 ms later.
//!
//! # A commit
//! In the transaction, last of its steps: ask what is [`expected`](Anchors::expected), lock and read the ledger, and
//! [`compare`](Expected::compare). Append receipts to its edge, and [`intend`](Permit::intend) them. Say of the [`Pending`]
//! that it was committed, or rolled back; where the outcome is unknown, drop it.
//!
//! # What is known
//! The ledger's row is locked from H to the end of its transaction, and the previous head is read under that lock. Hence:
//! - The previous head of an H was committed, whether the H before it has a C or not.
//! - Commands that change keys write no anchor. Their entries are in a K, before the first H or S that has them in its root.
//! - Only the last H of a file can be undecided. It counts when the database has its root at its size, and not before.
//!
//! # What is left
//! If the C of the last commit is missing, and a backup of exactly the commit before is put back, then this is not noticed.
//! It is missing when the process died, or lost its connection, before it could write it, and when the machine died before it
//! was synced. What waits for a database is in memory only, so there it is missing, too, if the process died before it was synced.
//!
//! # Media
//! A file has the lines as they are. In a database each is a row of `signwave_anchor`: `name` tells anchors apart, `generation` is
//! the incarnation of the ledger, and `line` counts from 1, the first line. The current anchor is the one of the highest
//! generation. Rows are only added: an intent by one INSERT.

mod address;
mod anchor_file;
mod check;
mod claims;
mod database;
mod error;
mod file_lines;
mod line;
mod loss;
mod medium;
mod memory;
mod read;
mod shared;
mod succession;
mod syncing;
mod tail;

pub use address::{AnchorAddress, AnchorRows, BadAddress};
pub use check::{Expected, Past, Pending, Permit, Standing};
pub use claims::Claim;
pub use error::{AnchorError, LinePlace};
pub use line::{Intended, IntendedBatch, IntendedEntry};
pub use loss::{Loss, LossError};
pub use medium::is_there;
pub use read::{Attempt, Outcome, Passage, Reader, read};
pub use succession::{check_aside, check_distinct, is_aside, succeed};

use std::{fmt, io, sync::Arc};

use crate::domain::ledger::{Head, Origin};
use medium::Medium;
use memory::Memory;
use shared::Shared;
use syncing::Syncing;

/// Every anchor that this process writes, none to any number. Without one it remembers what this process saw, so that a
/// database which goes back in time under a running process is noticed.
pub struct Anchors {
    origin: Origin,
    shared: Arc<Shared>,
    /// Syncs what no commit has synced.
    syncing: Option<Syncing>,
}

/// What to do about an anchor that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Make it. It knows nothing, so the database may be of any age.
    Create,
    /// Refuse to go on.
    Refuse,
}

impl Anchors {
    /// Opens the anchors of a ledger, and reads what they remember. Files have the mode 0600. No other process can open
    /// them to write until these anchors are dropped.
    ///
    /// # Errors
    /// When one is missing and may not be made, cannot be used, is damaged or belongs to another ledger.
    pub fn open(addresses: &[AnchorAddress], origin: Origin, missing: Missing) -> Result<Self, AnchorError> {
        let (mut memory, mut files) = (Memory::default(), Vec::new());
        for address in addresses {
            let (file, remembered) = Medium::open(address, origin, missing == Missing::Create)?;
            memory.add(&remembered);
            files.push(file);
        }
        let shared = Arc::new(Shared::new(memory, files));
        let start = |anchor: &AnchorAddress| {
            let failed =
                |error: io::Error| AnchorError::Io { anchor: anchor.clone(), reason: error.to_string() };
            Syncing::start(&shared).map_err(failed)
        };
        let syncing = addresses.first().map(start);
        Ok(Self { origin, shared, syncing: syncing.transpose()? })
    }

    /// Whose anchors they are.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The heads that a database must have: one, except after a start with several anchors that differ.
    pub fn known(&self) -> Vec<Head> {
        self.shared.memory().known().to_vec()
    }

    /// Writes what waits for the next commit. A process that ends in order does this before, because what waits for a server is
    /// in memory only.
    pub fn sync(&self) {
        self.shared.files().sync();
    }

    /// Up to which entry they know the ledger; `None` without any. Other processes may have added entries since this
    /// one last compared the database with them.
    pub fn reach(&self) -> Option<u64> {
        self.syncing.as_ref()?;
        Some(self.known().iter().map(|head| head.size).max().unwrap_or_default())
    }
}

/// The key of an advisory lock. A store holds it in its database on a PostgreSQL server while it opens its anchors, so that an
/// anchor in the same database notices it.
pub fn mark_of(origin: Origin) -> i64 {
    i64::from_be_bytes(origin.id.0)
}

impl fmt::Debug for Anchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anchors").finish_non_exhaustive()
    }
}
