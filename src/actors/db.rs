//! The recipients of the database messages: a DbExecutor, or its substitute in a test.

use actix::{Actor, Addr, Handler, Message, Recipient, dev::ToEnvelope};

use super::messages::{
    Commit, LeaseBatches, LoadKey, Open, ReadOutcomes, ReadStatus, Reclaim, Register, Release, Remove, Renew,
    Sequence, Suspend, TakeInventory,
};
use crate::store::StoreError;

/// The recipient of each database message.
#[derive(Clone)]
pub struct Db {
    pub(super) open: Recipient<Open>,
    pub(super) lease: Recipient<LeaseBatches>,
    pub(super) commit: Recipient<Commit>,
    pub(super) outcomes: Recipient<ReadOutcomes>,
    pub(super) release: Recipient<Release>,
    pub(super) inventory: Recipient<TakeInventory>,
    pub(super) register: Recipient<Register>,
    pub(super) renew: Recipient<Renew>,
    pub(super) remove: Recipient<Remove>,
    pub(super) reclaim: Recipient<Reclaim>,
    pub(super) load_key: Recipient<LoadKey>,
    pub(super) suspend: Recipient<Suspend>,
    pub(super) status: Recipient<ReadStatus>,
    pub(super) sequence: Recipient<Sequence>,
}

impl Db {
    /// Sends everything to one actor.
    pub fn of<A>(executor: &Addr<A>) -> Self
    where
        A: Actor
            + Handler<Open>
            + Handler<LeaseBatches>
            + Handler<Commit>
            + Handler<ReadOutcomes>
            + Handler<Release>
            + Handler<TakeInventory>
            + Handler<Register>
            + Handler<Renew>
            + Handler<Remove>
            + Handler<Reclaim>
            + Handler<LoadKey>
            + Handler<Suspend>
            + Handler<ReadStatus>
            + Handler<Sequence>,
        A::Context: ToEnvelope<A, Open>
            + ToEnvelope<A, LeaseBatches>
            + ToEnvelope<A, Commit>
            + ToEnvelope<A, ReadOutcomes>
            + ToEnvelope<A, Release>
            + ToEnvelope<A, TakeInventory>
            + ToEnvelope<A, Register>
            + ToEnvelope<A, Renew>
            + ToEnvelope<A, Remove>
            + ToEnvelope<A, Reclaim>
            + ToEnvelope<A, LoadKey>
            + ToEnvelope<A, Suspend>
            + ToEnvelope<A, ReadStatus>
            + ToEnvelope<A, Sequence>,
    {
        Self {
            open: executor.clone().recipient(),
            lease: executor.clone().recipient(),
            commit: executor.clone().recipient(),
            outcomes: executor.clone().recipient(),
            release: executor.clone().recipient(),
            inventory: executor.clone().recipient(),
            register: executor.clone().recipient(),
            renew: executor.clone().recipient(),
            remove: executor.clone().recipient(),
            reclaim: executor.clone().recipient(),
            load_key: executor.clone().recipient(),
            suspend: executor.clone().recipient(),
            status: executor.clone().recipient(),
            sequence: executor.clone().recipient(),
        }
    }

    /// Sends long reads, and what readers can do for themselves, to another actor, so that they delay no commit and no
    /// renewal of the lease.
    #[must_use]
    pub fn reading_from<A>(self, executor: &Addr<A>) -> Self
    where
        A: Actor + Handler<ReadStatus> + Handler<Sequence>,
        A::Context: ToEnvelope<A, ReadStatus> + ToEnvelope<A, Sequence>,
    {
        Self { status: executor.clone().recipient(), sequence: executor.clone().recipient(), ..self }
    }
}

/// Sends a database message and waits for its reply. If the executor has ended, callers must not retry: the run
/// ends, and the next run finds what it has stored.
///
/// [`is_gone`] recognises that error.
pub(super) async fn ask<M, T>(to: &Recipient<M>, message: M) -> Result<T, StoreError>
where
    M: Message<Result = Result<T, StoreError>> + Send,
    T: Send + 'static,
{
    to.send(message).await.unwrap_or_else(|_| Err(StoreError::Other(GONE.to_owned())))
}

const GONE: &str = "the database actor is gone";

/// Whether the database actor has ended. Unlike an outage of the database, this error is permanent.
pub(super) fn is_gone(error: &StoreError) -> bool {
    matches!(error, StoreError::Other(text) if text == GONE)
}
