//! What the database must have, and what it may have.

use super::tail::Remembered;
use crate::domain::ledger::Head;

/// Heads that were committed, as far as the files and this process know. As a head says everything before it, one that
/// continues another takes its place.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The database must have all of them. They are several only until they are found in the database.
    known: Vec<Head>,
    /// What commits of unknown outcome would have led to. Only the last commit of each file can be one.
    open: Vec<Head>,
    /// Up to which entry all files knew the ledger when they were opened.
    begun: Option<u64>,
}

impl Memory {
    /// Adds what a file remembers.
    pub(super) fn add(&mut self, remembered: &Remembered) {
        remembered.known.iter().for_each(|head| self.know(*head));
        let others = remembered.open.iter().filter(|head| !self.open.contains(head));
        self.open.extend(others.collect::<Vec<_>>());
        let reach = remembered.known.iter().map(|head| head.size).max().unwrap_or_default();
        self.begun = Some(self.begun.map_or(reach, |begun| begun.min(reach)));
    }

    /// Up to which entry all files knew the ledger when they were opened.
    pub(super) fn begun(&self) -> u64 {
        self.begun.unwrap_or_default()
    }

    /// What the database must have.
    pub(super) fn known(&self) -> &[Head] {
        &self.known
    }

    /// What it may have.
    pub(super) fn open(&self) -> &[Head] {
        &self.open
    }

    /// A commit is about to lead from `current` to `next`, and `current` continues all of `checked`.
    pub(super) fn intend(&mut self, checked: &[Head], current: Head, next: Head) {
        self.found(checked, current);
        // Whatever was open before is over, because the ledger is locked. If it was committed, it is part of `current`.
        self.open = vec![next];
    }

    /// The database has `current`, which continues all of `checked`. Returns whether that is news.
    pub(super) fn found(&mut self, checked: &[Head], current: Head) -> bool {
        let is_news = !self.known.contains(&current);
        self.known.retain(|head| !checked.contains(head));
        self.know(current);
        is_news
    }

    /// The database has what was open. Returns whether that is news.
    pub(super) fn stands(&mut self, head: Head) -> bool {
        let was_open = self.close(head);
        if was_open {
            self.know(head);
        }
        was_open
    }

    /// A commit from `previous` to `next` was made. Returns what the files have to say of it.
    pub(super) fn committed(&mut self, previous: Head, next: Head) -> Told {
        if self.close(next) {
            self.known.retain(|head| *head != previous);
            self.know(next);
            Told::Committed
        } else if self.known.contains(&next) {
            Told::Nothing
        } else {
            // Something else was intended since, by this process, which may or may not continue this.
            self.know(next);
            Told::Seen
        }
    }

    /// The outcome of a commit to `head` is known. Returns whether it was open.
    pub(super) fn close(&mut self, head: Head) -> bool {
        let before = self.open.len();
        self.open.retain(|open| *open != head);
        self.open.len() < before
    }

    fn know(&mut self, head: Head) {
        if !self.known.contains(&head) {
            self.known.push(head);
        }
    }
}

/// What the files have to say of a commit that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// That it was made.
    Committed,
    /// Its head.
    Seen,
    /// Nothing: they have it.
    Nothing,
}
