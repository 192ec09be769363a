//! What anchors know of a ledger beyond the end of a database that was put back.

use std::collections::BTreeMap;

use super::{
    AnchorAddress, AnchorError, Attempt, IntendedBatch, IntendedEntry, Outcome, Passage,
    line::Intended,
    read::{Reader, read},
};
use crate::domain::{
    BatchId, Fingerprint,
    ledger::{Edge, Entry, Head, KeyChange, KeyChanged, Origin},
};

/// What was committed and is not in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Which ledger it is about.
    pub origin: Origin,
    /// The end of the database. Everything up to it is what the anchors say, as far as they say anything.
    pub kept: Head,
    /// How many entries the ledger is known to have had.
    pub size: u64,
    /// The batches behind the end, in the order of their ids. Those of the last commit of an anchor are
    /// among them, even if that does not say whether it was made.
    pub batches: Vec<IntendedBatch>,
    /// How many entries there are of other kinds.
    pub others: u64,
    /// The head of the largest size that is known to have been committed. At most the size of `kept` if nothing is lost.
    pub known: Head,
    /// Every entry behind the end of the database that is known to have been committed, in their order.
    pub committed: Vec<Intended>,
    /// Commits of which no anchor says whether they were made.
    pub undecided: Vec<Attempt>,
}

/// Why it cannot be said what is lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LossError {
    /// An anchor cannot be used.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// The database has all that was committed.
    #[error(
        "nothing is lost: the database has {found} entries of the ledger, and its anchors know of {known} that were committed"
    )]
    Nothing {
        /// How many entries the database has.
        found: u64,
        /// How many the anchors know of.
        known: u64,
    },
    /// The database is not an earlier state of what the anchors know.
    #[error(
        "the database is not an earlier state of what the anchor '{anchor}' knows: they differ at entry {at} of the ledger. \
         It may have gone on without its anchor after it was put back: put the same backup back again"
    )]
    Diverged {
        /// The anchor.
        anchor: AnchorAddress,
        /// Where that shows.
        at: u64,
    },
    /// Entries are missing.
    #[error(
        "entries {first} to {last} of the ledger were committed, but these anchors do not say what they are: name the anchors \
         of all nodes, one --anchor for each"
    )]
    Incomplete {
        /// The first that is missing.
        first: u64,
        /// The last before the next one that is known.
        last: u64,
    },
}

impl Loss {
    /// Reads all anchors of a ledger whose database has the head `kept`.
    ///
    /// # Errors
    /// When an anchor cannot be read or belongs to another ledger, nothing is lost, the database is not an earlier state, or
    /// the anchors together do not know of all that is lost.
    pub fn read(anchors: &[AnchorAddress], origin: Origin, kept: Head) -> Result<Self, LossError> {
        Self::read_any(anchors, origin, kept)?.if_any()
    }

    /// The keys that were retired after the end of the database, or perhaps were.
    pub fn retired(&self) -> impl Iterator<Item = Fingerprint> {
        let perhaps = self.undecided.iter().flat_map(|attempt| &attempt.entries);
        self.committed.iter().chain(perhaps).filter_map(|entry| match &entry.what {
            IntendedEntry::Other(Entry::Key(KeyChanged {
                change: KeyChange::Retired, fingerprint, ..
            })) => Some(*fingerprint),
            _ => None,
        })
    }

    /// This, unless nothing is lost.
    ///
    /// # Errors
    /// [`LossError::Nothing`].
    pub fn if_any(self) -> Result<Self, LossError> {
        let (found, known) = (self.kept.size, self.known.size);
        if known > found { Ok(self) } else { Err(LossError::Nothing { found, known }) }
    }

    /// As [`read`](Self::read), also when nothing is lost.
    ///
    /// # Errors
    /// As [`read`](Self::read), except [`LossError::Nothing`].
    pub fn read_any(anchors: &[AnchorAddress], origin: Origin, kept: Head) -> Result<Self, LossError> {
        let known = Edge::default().head();
        let (entries, noted, undecided) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut found = Found { kept, known, entries, noted, undecided };
        for anchor in anchors {
            found.add(anchor, read_of(anchor, origin)?)?;
        }
        found.loss(origin)
    }
}

/// Opens an anchor of this ledger.
fn read_of(anchor: &AnchorAddress, expected: Origin) -> Result<Reader, AnchorError> {
    let reader = read(anchor)?;
    match (reader.origin(), reader.succeeded()) {
        (found, None) if found == expected => Ok(reader),
        (found, Some(by)) if found == expected => Err(AnchorError::Succeeded { anchor: anchor.clone(), by }),
        (found, _) => Err(AnchorError::OtherOrigin { anchor: anchor.clone(), found, expected }),
    }
}

/// What was read so far.
struct Found {
    kept: Head,
    /// The largest head that was committed.
    known: Head,
    /// What is behind the end of the database, and was committed.
    entries: BTreeMap<u64, Intended>,
    /// What the database was seen to have and is no batch, with the anchor that says so.
    noted: Vec<(AnchorAddress, Intended)>,
    /// What was perhaps committed.
    undecided: Vec<Attempt>,
}

impl Found {
    fn add(&mut self, anchor: &AnchorAddress, reader: Reader) -> Result<(), LossError> {
        for passage in reader {
            match passage? {
                Passage::Seen(head) => self.committed(anchor, head)?,
                Passage::Noted(entry) => self.noted.push((anchor.clone(), entry)),
                Passage::Attempt(attempt) => {
                    self.committed(anchor, attempt.previous)?;
                    match attempt.outcome {
                        Outcome::RolledBack => {}
                        Outcome::Undecided => self.undecided.push(attempt),
                        Outcome::Committed => {
                            self.committed(anchor, attempt.next)?;
                            self.take(anchor, attempt)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Notes that the ledger had this head.
    fn committed(&mut self, anchor: &AnchorAddress, head: Head) -> Result<(), LossError> {
        let is_other = |known: Head| head.size == known.size && head.root != known.root;
        if is_other(self.kept) || is_other(self.known) {
            return Err(diverged(anchor, head.size));
        }
        if head.size > self.known.size {
            self.known = head;
        }
        Ok(())
    }

    /// Adds the entries of a commit, if they are behind the end of the database.
    fn take(&mut self, anchor: &AnchorAddress, attempt: Attempt) -> Result<(), LossError> {
        let Attempt { entries, previous, next, .. } = attempt;
        if next.size <= self.kept.size {
            return Ok(());
        }
        // A database ends with a commit.
        if previous.size < self.kept.size {
            return Err(diverged(anchor, next.size));
        }
        entries.into_iter().try_for_each(|entry| self.put(anchor, entry))
    }

    /// Adds an entry behind the end of the database.
    fn put(&mut self, anchor: &AnchorAddress, entry: Intended) -> Result<(), LossError> {
        let at = entry.seq;
        let before = self.entries.insert(at, entry.clone());
        if before.is_some_and(|before| before != entry) { Err(diverged(anchor, at)) } else { Ok(()) }
    }

    fn loss(mut self, origin: Origin) -> Result<Loss, LossError> {
        let Self { kept, known, .. } = self;
        for (anchor, entry) in std::mem::take(&mut self.noted) {
            // What is behind the last head was written, and the head was not.
            if (kept.size + 1..=known.size).contains(&entry.seq) {
                self.put(&anchor, entry)?;
            }
        }
        let mut batches: BTreeMap<BatchId, IntendedBatch> = BTreeMap::new();
        let (mut size, mut undecided) = (known.size.max(kept.size), Vec::new());
        for attempt in std::mem::take(&mut self.undecided) {
            let is_refuted =
                |entry: &Intended| self.entries.get(&entry.seq).is_some_and(|known| known != entry);
            if attempt.next.size <= kept.size || attempt.entries.iter().any(is_refuted) {
                continue;
            }
            size = size.max(attempt.next.size);
            // Of two that cannot both have been made, both are taken for made.
            batches.extend(attempt.entries.iter().filter_map(of_batch));
            undecided.push(attempt);
        }
        for entry in undecided.iter().flat_map(|attempt| &attempt.entries) {
            self.entries.entry(entry.seq).or_insert_with(|| entry.clone());
        }
        let mut expected = kept.size + 1;
        for seq in self.entries.keys().copied().chain([known.size + 1]) {
            if seq > expected {
                return Err(LossError::Incomplete { first: expected, last: seq - 1 });
            }
            expected = seq + 1;
        }
        let is_other = |entry: &&Intended| matches!(entry.what, IntendedEntry::Other(_));
        let others = self.entries.values().filter(is_other).count() as u64;
        batches.extend(self.entries.values().filter_map(of_batch));
        let committed = self.entries.into_values().filter(|entry| entry.seq <= known.size).collect();
        let batches = batches.into_values().collect();
        Ok(Loss { origin, kept, size, batches, others, known, committed, undecided })
    }
}

/// The batch of an entry, by its id.
fn of_batch(entry: &Intended) -> Option<(BatchId, IntendedBatch)> {
    entry.batch().map(|batch| (batch.id, batch.clone()))
}

fn diverged(anchor: &AnchorAddress, at: u64) -> LossError {
    LossError::Diverged { anchor: anchor.clone(), at }
}
