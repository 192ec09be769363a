//! Settling: stores finished batches, and releases batches that were not signed.

use std::{sync::Arc, time::Duration};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::{
    Ingest,
    holdings::{Done, name},
    links::Links,
};
use crate::{
    actors::{
        end::End,
        events::Event,
        group_commit::{self, Settled},
    },
    domain::{BatchId, Epoch, Lease, SignedBatch},
    store::StoreError,
};

/// How long a batch that the schema refused is set aside.
const SET_ASIDE: Duration = Duration::from_secs(60);

impl Ingest {
    /// Stores the finished batches together, and releases those that were not signed.
    pub(super) fn settle(&mut self, done: Done, ctx: &mut Context<Self>) {
        let Done { finished, unsigned } = done;
        // The leases of a former node of this process were released with that node, and other nodes may hold the
        // batches now.
        let me = self.links.standing.registered();
        let mine = unsigned.iter().filter(|(node, ..)| Some(*node) == me);
        let given_back: Vec<_> = mine.map(|(_, batch, epoch)| (*batch, *epoch)).collect();
        let began = self.links.standing.now();
        let settling = store(self.links.clone(), Arc::clone(&finished), given_back);
        ctx.spawn(settling.into_actor(self).map(move |result, actor, ctx| {
            actor.state.settled();
            match result {
                Ok(settled) => actor.settled(&finished, &settled, began, ctx),
                // The outcome of these batches is unknown. The run ends, and they are released with the node.
                Err(error) => actor.links.ends.end(End::Failed(error.into())),
            }
            actor.advance(ctx);
        }));
    }

    fn settled(
        &mut self,
        finished: &[SignedBatch],
        settled: &[Settled],
        began: Duration,
        ctx: &mut Context<Self>,
    ) {
        let (mut stored, mut records) = (Vec::new(), 0);
        let took = self.links.standing.now().saturating_sub(began);
        for (lease, settled) in finished.iter().map(SignedBatch::lease).zip(settled) {
            match settled {
                Settled::Committed => {
                    self.links.counters.add_committed(lease.records().len(), took);
                    self.links.commits.tell(lease);
                    stored.push((lease.batch(), lease.epoch()));
                    records += lease.records().len();
                }
                Settled::Fenced => {
                    self.links.counters.add_fenced();
                    let (batch, epoch) = (lease.batch(), lease.epoch());
                    self.links.standing.tell(Event::Fenced { batch, epoch });
                }
                Settled::Refused(error) => self.set_aside(lease, error, ctx),
            }
        }
        self.stored.add(&stored, records);
        if !finished.is_empty() {
            self.links.counters.add_commit(took);
        }
        if settled.contains(&Settled::Fenced) {
            self.state.compare_soon();
            self.doubt(ctx);
        }
    }

    /// The schema refused the batch, so another program must have changed its rows. The batch stays leased for a
    /// while, so that it is not signed again and again. Then it is released, and the node that leases it next tries
    /// again.
    fn set_aside(&mut self, lease: &Lease, error: &StoreError, ctx: &mut Context<Self>) {
        let batch = lease.batch();
        log::error!("batch {batch} cannot be stored: {error}; 'signwave verify' says what is wrong");
        if let Some(draining) = &mut self.draining {
            draining.refused(error.clone());
        }
        self.links.standing.tell(Event::Refused { batch });
        let name = name(lease);
        self.state.holdings.set_aside(name);
        ctx.run_later(SET_ASIDE, move |actor, ctx| {
            actor.state.holdings.take_up(name);
            actor.advance(ctx);
        });
    }
}

async fn store(
    Links { db, standing, ends, .. }: Links,
    finished: Arc<[SignedBatch]>,
    given_back: Vec<(BatchId, Epoch)>,
) -> Result<Vec<Settled>, StoreError> {
    if !given_back.is_empty() {
        group_commit::release(&db, &standing, &ends, given_back).await?;
    }
    if finished.is_empty() {
        return Ok(Vec::new());
    }
    group_commit::commit(&db, &standing, &ends, finished).await
}
