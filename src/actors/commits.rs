//! Commits: word of what a run has just stored, for callers that wait for signatures.

use std::sync::Arc;

use tokio::sync::broadcast::{Receiver, Sender};

use crate::domain::{BatchId, Lease, Runs};

/// Tells of each batch that a run has stored, after its commit. Clones are the same: one is handed to a run,
/// others listen. While nobody listens it costs nothing.
#[derive(Clone)]
pub struct Commits(Sender<Committed>);

/// A batch whose signatures are stored, and can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The batch.
    pub batch: BatchId,
    /// Its records.
    pub records: Arc<Runs>,
}

/// How many batches a listener may be behind.
const REMEMBERED: usize = 256;

impl Default for Commits {
    fn default() -> Self {
        Self(Sender::new(REMEMBERED))
    }
}

impl Commits {
    /// Hears of every batch that this run stores from now on. Batches that other processes store are not heard
    /// of, and a listener that falls behind is told that it has missed some (`Lagged`): in both cases the
    /// database has the answer. To miss nothing, listen first, then look at the database, then wait.
    pub fn listen(&self) -> Receiver<Committed> {
        self.0.subscribe()
    }

    pub(super) fn tell(&self, lease: &Lease) {
        if self.0.receiver_count() > 0 {
            let committed = Committed { batch: lease.batch(), records: Arc::new(lease.records().clone()) };
            // The last listener may have gone in between.
            drop(self.0.send(committed));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::broadcast::error::TryRecvError;

    use super::*;
    use crate::domain::{Epoch, KeyId, NodeId, OpenBatch, Scheme};

    fn lease(batch: i64) -> Lease {
        let open = OpenBatch { id: BatchId(batch), epoch: Epoch(0), records: Runs::default() };
        open.lease(KeyId(1), NodeId(1), Scheme::default())
    }

    #[test]
    fn a_listener_hears_of_every_batch_from_then_on_and_is_told_when_it_missed_some() {
        let commits = Commits::default();
        commits.tell(&lease(1));
        let mut listener = commits.listen();
        assert_eq!(listener.try_recv(), Err(TryRecvError::Empty), "nobody listened to the first");
        commits.tell(&lease(2));
        assert_eq!(listener.try_recv().map(|committed| committed.batch), Ok(BatchId(2)));
        (0..1000).for_each(|batch| commits.tell(&lease(batch)));
        assert!(matches!(listener.try_recv(), Err(TryRecvError::Lagged(_))));
        drop(listener);
        commits.tell(&lease(3));
    }
}
