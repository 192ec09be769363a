//! Budget: the memory that all request bodies together may take.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;

/// The memory that all request bodies together may take. Clones share one budget.
#[derive(Clone)]
pub struct Budget(Arc<Semaphore>);

impl Budget {
    /// In bytes: four payloads of the default limit.
    const BYTES: usize = 64 << 20;
}

impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(Self::BYTES)))
    }
}

impl Budget {
    /// Takes `bytes` before they are read. They are given back when the share is dropped.
    ///
    /// # Errors
    /// [`Kind::Overloaded`](super::problem::Kind::Overloaded) when the bodies of other requests take too much.
    pub fn take(&self, bytes: usize) -> Result<Share, Problem> {
        let bytes = u32::try_from(bytes).map_err(|_| Problem::overloaded())?;
        let taken = Arc::clone(&self.0).try_acquire_many_owned(bytes);
        taken.map(Share).map_err(|_| Problem::overloaded())
    }
}

/// A part of the budget.
pub struct Share(OwnedSemaphorePermit);

impl Share {
    /// Gives so many bytes of this share back.
    pub fn give_back(&mut self, bytes: usize) {
        drop(self.0.split(bytes));
    }

    /// Adds `more` to this share.
    pub fn join(&mut self, more: Self) {
        self.0.merge(more.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_missing_until_it_is_given_back() {
        let budget = Budget::default();
        let mut share = budget.take(Budget::BYTES - 1).unwrap();
        assert!(budget.take(2).is_err());
        share.join(budget.take(1).unwrap());
        assert!(budget.take(1).is_err());
        share.give_back(2);
        assert!(budget.take(3).is_err() && budget.take(2).is_ok());
        drop(share);
        assert!(budget.take(Budget::BYTES).is_ok());
    }
}
