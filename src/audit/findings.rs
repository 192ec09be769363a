//! Collects the problems that all threads find.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Problem;

/// The first problems in full, and the total number.
#[derive(Default)]
pub(super) struct Findings(Mutex<Found>);

#[derive(Default)]
struct Found {
    first: Vec<Problem>,
    total: u64,
}

impl Findings {
    /// How many problems are kept in full.
    const KEEP: usize = 100;

    pub(super) fn add(&self, problem: impl Into<Problem>) {
        let problem = problem.into();
        let mut found = self.lock();
        found.total += 1;
        if found.first.len() < Self::KEEP {
            found.first.push(problem);
        }
    }

    /// The kept problems, ordered by kind and place, and the total number.
    pub(super) fn take(self) -> (Vec<Problem>, u64) {
        let mut found = std::mem::take(&mut *self.lock());
        found.first.sort();
        (found.first, found.total)
    }

    /// A poisoned lock is harmless, because a panic cannot leave a problem half added.
    fn lock(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
