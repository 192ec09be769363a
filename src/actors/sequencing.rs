//! Sequencing: gives stored batches their positions in the feed, after their commit and beside the work of the run.

use std::time::Duration;

use actix::Recipient;
use actix_rt::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{
    commits::Committed,
    db::{ask, is_gone},
    messages::Sequence,
    outage::Outage,
};

/// A task that numbers batches after each commit of this run, and now and then those that others left behind. It ends
/// when this is dropped. Readers of the feed number for themselves, so that nothing depends on this task but readers that
/// may not write.
pub struct Sequencing {
    task: JoinHandle<()>,
    db: Recipient<Sequence>,
}

impl Sequencing {
    /// Starts the task. It looks at the database after each of `commits`, and at least once in each `every`.
    pub fn start(db: Recipient<Sequence>, commits: Receiver<Committed>, every: Duration) -> Self {
        Self { task: actix_rt::spawn(sequence(db.clone(), commits, every)), db }
    }

    /// Numbers what was stored last, if that takes no longer than `limit`. What it misses is numbered by the next node or
    /// reader.
    pub async fn finish(&self, limit: Duration) {
        if !matches!(timeout(limit, ask(&self.db, Sequence)).await, Ok(Ok(_))) {
            log::warn!(
                "the last batches could not be numbered for the feed: the next node or reader does so"
            );
        }
    }
}

impl Drop for Sequencing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Batches that are stored within this time after others are numbered together, so that the numbering costs no more the
/// smaller the batches are. Readers that wait do not wait for it: they number for themselves.
const PACE: Duration = Duration::from_millis(25);

async fn sequence(db: Recipient<Sequence>, mut commits: Receiver<Committed>, every: Duration) {
    let mut outage = Outage::default();
    loop {
        // If we die here, the batches wait for the next node or reader.
        let result = ask(&db, Sequence).await;
        outage.note("number batches for the feed", &result);
        match result {
            Err(error) if is_gone(&error) => return,
            Err(_) => sleep(outage.pause()).await,
            Ok(_) => {
                sleep(PACE).await;
                if !heard(&mut commits, every).await {
                    return;
                }
            }
        }
    }
}

/// Waits for a commit, at most for `every`. All commits that were heard by then are numbered together. Returns whether
/// more may come.
async fn heard(commits: &mut Receiver<Committed>, every: Duration) -> bool {
    if let Ok(Err(RecvError::Closed)) = timeout(every, commits.recv()).await {
        return false;
    }
    while !commits.is_empty() {
        // A listener that was too slow has missed commits, and looks all the same.
        let _ = commits.try_recv();
    }
    true
}
