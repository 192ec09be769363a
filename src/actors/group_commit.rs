//! Stores batches, and retries until the outcome of each is known.

use std::{collections::VecDeque, ops::Range, sync::Arc};

use actix_rt::time::sleep;

use super::{
    db::{Db, ask},
    end::Ends,
    messages::{Commit, ReadOutcomes, Release},
    outage::Outage,
    standing::Standing,
};
use crate::{
    domain::{BatchId, CommitVerdict, Epoch, Outcome, SignedBatch},
    store::StoreError,
};

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Its signatures are stored.
    Committed,
    /// Its lease had ended, and its signatures were dropped.
    Fenced,
    /// The schema refused its signatures. Its lease still stands.
    Refused(StoreError),
}

/// Records in one transaction, unless a single batch has more. The number is limited because the lease must be
/// renewed between two transactions.
const RECORDS_AT_A_TIME: u64 = 10_000;

/// Stores the batches. After an unknown outcome, the batches are read back, and the same bytes are sent again if
/// they are not stored. Nothing is signed again because a reply was lost. If the schema refuses a batch, the others
/// are sent without it.
///
/// # Errors
/// When a retry cannot help, or the stop no longer waits.
pub async fn commit(
    db: &Db,
    standing: &Standing,
    ends: &Ends,
    batches: Arc<[SignedBatch]>,
) -> Result<Vec<Settled>, StoreError> {
    let (mut parts, mut settled) = (parts(&batches), Vec::with_capacity(batches.len()));
    while let Some(part) = parts.pop_front() {
        match commit_part(db, standing, ends, &batches, &part).await {
            Ok(more) => settled.extend(more),
            Err(error @ StoreError::Refused(_)) if part.len() == 1 => settled.push(Settled::Refused(error)),
            // Nothing was stored. Sending the batches one by one, in the same order, shows which one is refused.
            Err(StoreError::Refused(_)) => part.rev().for_each(|i| parts.push_front(i..i + 1)),
            Err(error) => return Err(error),
        }
    }
    Ok(settled)
}

/// Cuts the batches into parts, each of which is stored in one transaction.
fn parts(batches: &[SignedBatch]) -> VecDeque<Range<usize>> {
    let (mut parts, mut records) = (VecDeque::<Range<usize>>::new(), 0);
    for (i, batch) in batches.iter().enumerate() {
        records += batch.lease().records().len();
        match parts.back_mut() {
            Some(part) if records <= RECORDS_AT_A_TIME => part.end = i + 1,
            _ => {
                records = batch.lease().records().len();
                parts.push_back(i..i + 1);
            }
        }
    }
    parts
}

async fn commit_part(
    db: &Db,
    standing: &Standing,
    ends: &Ends,
    batches: &Arc<[SignedBatch]>,
    part: &Range<usize>,
) -> Result<Vec<Settled>, StoreError> {
    let sent = &batches[part.clone()];
    let mut outage = Outage::default();
    loop {
        // If we die here before COMMIT, the leases are reclaimed and other nodes sign the batches. If we die after
        // COMMIT, the signatures are stored and no node signs the batches again.
        let error = match ask(&db.commit, Commit(Arc::clone(batches), part.clone())).await {
            Ok(verdicts) => {
                standing.heard::<()>(&Ok(()));
                return Ok(verdicts.into_iter().zip(sent).map(judge).collect());
            }
            Err(error) => error,
        };
        wait_after(&error, &mut outage, standing, ends, "store signatures").await?;
        if !matches!(error, StoreError::UnknownOutcome(_)) {
            continue;
        }
        let sent = sent.iter().map(|batch| (batch.lease().batch(), batch.lease().epoch())).collect();
        let outcomes = read_back(db, standing, ends, sent).await?;
        // All batches were in one transaction. If one of them is not stored, the transaction stored none.
        if !outcomes.contains(&Outcome::NotStored) {
            return Ok(outcomes.into_iter().map(settled).collect());
        }
    }
}

/// Releases leases.
///
/// # Errors
/// As for [`commit`].
pub async fn release(
    db: &Db,
    standing: &Standing,
    ends: &Ends,
    leases: Vec<(BatchId, Epoch)>,
) -> Result<(), StoreError> {
    let mut outage = Outage::default();
    while let Err(error) = ask(&db.release, Release(leases.clone())).await {
        wait_after(&error, &mut outage, standing, ends, "give batches back").await?;
    }
    Ok(())
}

async fn read_back(
    db: &Db,
    standing: &Standing,
    ends: &Ends,
    sent: Vec<(BatchId, Epoch)>,
) -> Result<Vec<Outcome>, StoreError> {
    let mut outage = Outage::default();
    loop {
        match ask(&db.outcomes, ReadOutcomes(sent.clone())).await {
            Ok(outcomes) => return Ok(outcomes),
            Err(error) => {
                wait_after(&error, &mut outage, standing, ends, "read back the outcome of a commit").await?
            }
        }
    }
}

fn judge((verdict, batch): (CommitVerdict, &SignedBatch)) -> Settled {
    let lease = batch.lease();
    match verdict {
        CommitVerdict::Committed => Settled::Committed,
        // The first of two attempts was still running when the outcome was read back, and was committed later.
        // No other node can have signed the batch at our epoch.
        CommitVerdict::Fenced { state, epoch, .. }
            if Outcome::of(lease.epoch(), state, epoch) == Outcome::Stored =>
        {
            Settled::Committed
        }
        CommitVerdict::Fenced { state, epoch, node } => {
            log::warn!(
                "fenced: the signatures of batch {} at epoch {} were dropped, because the batch is now {state} at \
                 epoch {epoch}{}",
                lease.batch(),
                lease.epoch(),
                node.map(|node| format!(", node {node}")).unwrap_or_default(),
            );
            Settled::Fenced
        }
    }
}

fn settled(outcome: Outcome) -> Settled {
    match outcome {
        Outcome::Stored => Settled::Committed,
        Outcome::NotStored | Outcome::Fenced => Settled::Fenced,
    }
}

/// Waits before the next attempt to do `what`, or gives up and returns the error.
async fn wait_after(
    error: &StoreError,
    outage: &mut Outage,
    standing: &Standing,
    ends: &Ends,
    what: &str,
) -> Result<(), StoreError> {
    standing.heard::<()>(&Err(error.clone()));
    let tired = ends.is_tired(outage.lasts(standing.now()));
    if tired || standing.is_interrupting() || !ends.tolerates(error) {
        return Err(error.clone());
    }
    let pause = outage.pause();
    outage.note(what, &Err::<(), _>(error.clone()));
    sleep(pause).await;
    Ok(())
}
