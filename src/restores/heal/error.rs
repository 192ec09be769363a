//! Why nothing is put back.

use std::{fmt, path::PathBuf};

use crate::{
    anchors::{IntendedBatch, LossError},
    domain::{Fingerprint, RecordId, Runs, ledger::Origin},
    restores::error::RestoreError,
    store::StoreError,
};

/// Where nothing else is said, nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say what the fields mean")]
pub enum HealError {
    /// The database or an anchor cannot be read or written, or it cannot be said what is lost. Running the command again does
    /// what is left.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// A file cannot be read.
    #[error("'{path}' cannot be read: {reason}")]
    Unreadable { path: PathBuf, reason: String },
    /// A line is no bundle, or its bundle does not verify.
    #[error("'{path}', line {line}: {reason}")]
    Refused { path: PathBuf, line: u64, reason: String },
    /// A bundle is one of another database.
    #[error("'{path}', line {line}: this is a bundle of the ledger {found}, and the database has {expected}")]
    OtherLedger { path: PathBuf, line: u64, found: Origin, expected: Origin },
    /// A batch was signed twice.
    #[error("'{path}', line {line}: batch {batch} was signed otherwise, as the anchor says")]
    OtherBatch { path: PathBuf, line: u64, batch: i64 },
    /// The anchors do not know of something that was committed.
    #[error(
        "'{path}', line {line}: entry {seq} of the ledger was committed, and these anchors do not know of it: name the anchors \
         of all nodes, one --anchor for each"
    )]
    Unknown { path: PathBuf, line: u64, seq: u64 },
    /// The database or the files are not what the anchors say.
    #[error("the database is not what the anchors say: they differ up to entry {size} of the ledger")]
    NotAsAnchored { size: u64 },
    /// A key is gone.
    #[error(
        "key {0} was added after the backup, and its private half is lost with the database, so its batches cannot be put \
         back: the way on is 'signwave ledger accept'"
    )]
    KeyLost(Fingerprint),
    /// An entry is of a kind that cannot be made again.
    #[error(
        "entry {0} of the ledger is a restore, which cannot be put back: the way on is 'signwave ledger accept'"
    )]
    OtherEntry(u64),
    /// The files do not have all that is lost.
    #[error("{}", lacks(.0))]
    Incomplete(Vec<Lack>),
    /// The database has another record.
    #[error(
        "record {record} {what}: it was added after the database had been put back, so put the same backup back again"
    )]
    OtherRecord { record: RecordId, what: &'static str },
}

/// What the files lack of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The batch.
    pub batch: IntendedBatch,
    /// Records without a bundle.
    pub bundles: Runs,
    /// Records that are not in the database, and whose bundles have no payload.
    pub payloads: Runs,
}

/// How many batches an error names.
const NAMED: usize = 5;

fn lacks(lacks: &[Lack]) -> String {
    let named: Vec<_> = lacks.iter().take(NAMED).map(Lack::to_string).collect();
    let more = match lacks.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more batches are incomplete"),
    };
    format!(
        "the files do not have all that is lost: {}{more}. Nothing was changed: add the files that have it, or accept the \
         loss ('signwave ledger accept --help')",
        named.join("; ")
    )
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch {} lacks", self.batch.id)?;
        if !self.bundles.is_empty() {
            write!(f, " the bundles of the records {}", Short(&self.bundles))?;
        }
        if !self.bundles.is_empty() && !self.payloads.is_empty() {
            f.write_str(", and")?;
        }
        if !self.payloads.is_empty() {
            let payloads = Short(&self.payloads);
            write!(
                f,
                " the payloads of the records {payloads} ('signwave export --as bundle --with-payload')"
            )?;
        }
        Ok(())
    }
}

/// Records by their ids, in a text that is not long.
struct Short<'a>(&'a Runs);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let few: Runs = self.0.iter().take(20).collect();
        match self.0.len() - few.len() {
            _ if self.0.runs() <= 5 => self.0.fmt(f),
            0 => few.fmt(f),
            more => write!(f, "{few} and {more} more"),
        }
    }
}

impl From<StoreError> for HealError {
    fn from(error: StoreError) -> Self {
        Self::Restore(error.into())
    }
}

impl From<LossError> for HealError {
    fn from(error: LossError) -> Self {
        Self::Restore(error.into())
    }
}
