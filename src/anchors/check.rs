//! The database is compared with its anchors, and may then append to its ledger.

use super::{
    AnchorError, Anchors,
    line::{Intended, Line},
    memory::Told,
};
use crate::domain::ledger::{Edge, Hash, Head, Origin, Receipt};

/// What a database must have, and what it may have.
#[derive(Debug)]
pub struct Expected<'a> {
    anchors: &'a Anchors,
    known: Vec<Head>,
    open: Vec<Head>,
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
        Expected { anchors: self, known: memory.known().to_vec(), open: memory.open().to_vec() }
    }
}

impl<'a> Expected<'a> {
    /// Whose anchors say so.
    pub fn origin(&self) -> Origin {
        self.anchors.origin()
    }

    /// Compares a database, whose ledger has the head `current`. `at` reads the root at a smaller size, `None` if there is
    /// none. In the course of commits by one process it is not called.
    ///
    /// # Errors
    /// Those of `at`.
    pub fn compare<E>(
        self,
        current: Head,
        mut at: impl FnMut(u64) -> Result<Option<Hash>, E>,
    ) -> Result<Standing<'a>, E> {
        let mut root_at = |size| match size {
            0 => Ok(Some(Edge::default().root())),
            _ if size == current.size => Ok(Some(current.root)),
            _ if size > current.size => Ok(None),
            _ => at(size),
        };
        let Self { anchors, known: mut checked, open } = self;
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
        Ok(Standing::Stands(Permit { anchors, current, checked }))
    }
}

impl<'a> Permit<'a> {
    /// Remembers that the database has the head that was compared, such as at each heartbeat.
    pub fn saw(self) {
        let Self { anchors, current, checked } = self;
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
        let Self { anchors, current, checked } = self;
        let Some(next) = receipts.last().map(Receipt::head) else {
            return Ok(Pending { anchors, previous: current, next: current });
        };
        debug_assert_eq!(receipts[0].seq(), current.size + 1, "receipts of another ledger");
        let entries = receipts.iter().map(|receipt| Line::Entry(Intended::from(receipt)));
        let lines = entries.chain([Line::Intent { next, previous: current }]);
        let lines: String = lines.map(|line| format!("{line}\n")).collect();
        anchors.shared.intend(&checked, current, next, &lines)?;
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
