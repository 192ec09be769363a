//! Commits: notifications of stored batches, for callers that wait for signatures.

use std::sync::Arc;

use tokio::sync::broadcast::{Receiver, Sender};

use crate::domain::{BatchId, Lease, Runs};

/// Sends a notification for each batch that a run has stored, after the commit. Clones share one channel: one clone
/// is handed to a run, and others listen. Without listeners it costs nothing.
#[derive(Clone)]
pub struct Commits(Sender<Committed>);

/// A batch whose signatures are stored and can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The batch.
    pub batch: BatchId,
    /// Its records.
    pub records: Arc<Runs>,
}

/// How many batches a listener may be behind before it misses some.
const REMEMBERED: usize = 256;

impl Default for Commits {
    fn default() -> Self {
        Self(Sender::new(REMEMBERED))
    }
}

impl Commits {
    /// Receives a notification for every batch that this run stores from now on. Batches of other processes are
    /// not included, and a listener that falls behind receives `Lagged`. In both cases callers must look at the
    /// database. To miss nothing, callers must listen first, then look at the database, then wait.
    pub fn listen(&self) -> Receiver<Committed> {
        self.0.subscribe()
    }

    pub(super) fn tell(&self, lease: &Lease) {
        if self.0.receiver_count() > 0 {
            let committed = Committed { batch: lease.batch(), records: Arc::new(lease.records().clone()) };
            // The last listener may have closed since the check, so an error is fine.
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
