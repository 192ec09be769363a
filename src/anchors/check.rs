//! The database is compared with its anchors, and may then append to its ledger.

use std::collections::BTreeMap;

use super::{
    AnchorError, Anchors,
    line::{Intended, Line, text},
    memory::Told,
};
use crate::domain::ledger::{Edge, Entry, Hash, Head, Origin, Receipt};

/// What a database must have, and what it may have.
#[derive(Debug)]
pub struct Expected<'a> {
    anchors: &'a Anchors,
    known: Vec<Head>,
    open: Vec<Head>,
    begun: u64,
}

/// What the ledger of a database was at an earlier size, and what is behind it.
#[derive(Debug, Default)]
pub struct Past {
    /// The root at that size. `None` if there is none, as for the empty ledger.
    pub root: Option<Hash>,
    /// The entries behind it which are no batches, with their sequence numbers.
    pub others: Vec<(u64, Entry)>,
}

/// What a database is, compared with its anchors.
#[derive(Debug)]
#[must_use]
pub enum Standing<'a> {
    /// All that is anchored is in it.
    Stands(Permit<'a>),
    /// It is older: a backup was put back, or a server took over that had not received everything.
    Behind {
        /// What it must have.
        anchored: Head,
        /// What it has.
        found: Head,
    },
    /// It is another: at the size of `anchored` it has another root, or none.
    Other {
        /// What it must have.
        anchored: Head,
        /// What it has at that size.
        found: Option<Hash>,
    },
}

/// The right to append to a ledger whose head was compared with the anchors.
#[derive(Debug)]
#[must_use]
pub struct Permit<'a> {
    anchors: &'a Anchors,
    current: Head,
    checked: Vec<Head>,
    /// Entries that are no batches, of which the anchors do not know yet.
    news: Vec<Line>,
}

/// A commit that the anchors know of, and of which they wait to hear. If it is dropped, its outcome is unknown: the next
/// check finds it in the database, or does not.
#[derive(Debug)]
#[must_use = "the anchors wait to hear what became of the commit"]
pub struct Pending<'a> {
    anchors: &'a Anchors,
    previous: Head,
    next: Head,
}

impl Anchors {
    /// What the database must have by now. Callers must ask for it before they read the database, because others may commit
    /// after they have read it.
    pub fn expected(&self) -> Expected<'_> {
        let memory = self.shared.memory();
        let (known, open) = (memory.known().to_vec(), memory.open().to_vec());
        Expected { anchors: self, known, open, begun: memory.begun() }
    }
}

impl<'a> Expected<'a> {
    /// Whose anchors say so.
    pub fn origin(&self) -> Origin {
        self.anchors.origin()
    }

    /// Compares a database, whose ledger has the head `current`. `past` reads what it was at a smaller size. In the course of
    /// commits by one process it is not called.
    ///
    /// # Errors
    /// Those of `past`.
    pub fn compare<E>(
        self,
        current: Head,
        mut past: impl FnMut(u64) -> Result<Past, E>,
    ) -> Result<Standing<'a>, E> {
        let Self { anchors, known: mut checked, open, begun } = self;
        let mut news = BTreeMap::new();
        let mut root_at = |size| {
            if size >= current.size {
                return Ok(Some(current.root).filter(|_| size == current.size));
            }
            let Past { root, others } = past(size)?;
            // Some may have been added since the head was read.
            news.extend(others.into_iter().filter(|(seq, _)| (begun + 1..=current.size).contains(seq)));
            Ok(if size == 0 { Some(Edge::default().root()) } else { root })
        };
        for anchored in checked.iter().copied() {
            if anchored.size > current.size {
                return Ok(Standing::Behind { anchored, found: current });
            }
            let found = root_at(anchored.size)?;
            if found != Some(anchored.root) {
                return Ok(Standing::Other { anchored, found });
            }
        }
        for head in open {
            // If it is not there, it may still come: a server may be at it. The next intent tells.
            if root_at(head.size)? == Some(head.root) {
                anchors.shared.update(|memory| memory.stands(head).then_some(Line::Seen(head)));
                checked.push(head);
            }
        }
        let news = news.into_iter().map(|(seq, entry)| Line::Noted { seq, entry }).collect();
        Ok(Standing::Stands(Permit { anchors, current, checked, news }))
    }
}

impl<'a> Permit<'a> {
    /// Remembers that the database has the head that was compared, such as at each heartbeat.
    pub fn saw(self) {
        let Self { anchors, current, checked, news } = self;
        anchors.shared.note(&news);
        anchors.shared.update(|memory| memory.found(&checked, current).then_some(Line::Seen(current)));
    }

    /// Writes into all files what is about to be committed, and syncs it. Callers must have read the head that was compared,
    /// and made the receipts from its edge, in the transaction that commits them, and must hold the lock of the ledger until
    /// that ends.
    ///
    /// What if we die here? The next check finds the last commit in the database, or does not. It counts if it does.
    ///
    /// # Errors
    /// When a file could not be written or synced. Then the commit must not be made.
    pub fn intend(self, receipts: &[Receipt]) -> Result<Pending<'a>, AnchorError> {
        let Self { anchors, current, checked, news } = self;
        anchors.shared.note(&news);
        let Some(next) = receipts.last().map(Receipt::head) else {
            return Ok(Pending { anchors, previous: current, next: current });
        };
        debug_assert_eq!(receipts[0].seq(), current.size + 1, "receipts of another ledger");
        let entries = receipts.iter().map(|receipt| Line::Entry(Intended::from(receipt)));
        let lines: Vec<_> = entries.chain([Line::Intent { next, previous: current }]).collect();
        anchors.shared.intend(&checked, current, next, &text(&lines))?;
        Ok(Pending { anchors, previous: current, next })
    }
}

impl Pending<'_> {
    /// The commit was made, as the database says.
    pub fn committed(self) {
        let Self { anchors, previous, next } = self;
        anchors.shared.update(|memory| match memory.committed(previous, next) {
            Told::Committed => Some(Line::Committed { size: next.size }),
            Told::Seen => Some(Line::Seen(next)),
            Told::Nothing => None,
        });
    }

    /// The commit was not made, and will not be.
    pub fn rolled_back(self) {
        let Self { anchors, next, .. } = self;
        anchors.shared.update(|memory| memory.close(next).then_some(Line::RolledBack { size: next.size }));
    }
}
