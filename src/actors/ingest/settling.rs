//! Settling: what is finished is stored, what was not signed goes back.

use std::{sync::Arc, time::Duration};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::{Ingest, Links, Name, name};
use crate::{
    actors::{
        end::End,
        group_commit::{self, Settled},
    },
    domain::SignedBatch,
    store::StoreError,
};

/// How long a batch that the schema refused is left alone.
const GIVEN_UP: Duration = Duration::from_secs(60);

impl Ingest {
    /// Stores what is finished, all of it in one transaction, and gives back what was not signed.
    pub(super) fn settle(&mut self, ctx: &mut Context<Self>) {
        self.settling = true;
        self.gathered = false;
        let finished: Arc<[SignedBatch]> = std::mem::take(&mut self.finished).into();
        let unsigned = std::mem::take(&mut self.unsigned);
        let (links, batches) = (self.links.clone(), Arc::clone(&finished));
        // What a node held that is gone went back with it, and may be in the hands of others by now.
        let me = links.standing.registered();
        let mine = unsigned.iter().filter(|(node, ..)| Some(*node) == me);
        let given_back: Vec<_> = mine.map(|(_, batch, epoch)| (*batch, *epoch)).collect();
        let settling = async move {
            let Links { db, standing, ends, .. } = links;
            if !given_back.is_empty() {
                group_commit::release(&db, &standing, &ends, given_back).await?;
            }
            if batches.is_empty() {
                return Ok(Vec::new());
            }
            group_commit::commit(&db, &standing, &ends, batches).await
        };
        ctx.spawn(settling.into_actor(self).map(move |result, actor, ctx| {
            actor.settling = false;
            match result {
                Ok(settled) => actor.settled(&unsigned, &finished, &settled, ctx),
                // Nothing more can be said about these: the run ends, and they go back with the node.
                Err(error) => {
                    actor.links.ends.end(End::Failed(error.into()));
                    let given_up = finished.iter().map(|batch| name(batch.lease()));
                    given_up.chain(unsigned).for_each(|lease| _ = actor.held.remove(&lease));
                }
            }
            actor.pump(ctx);
        }));
    }

    fn settled(
        &mut self,
        unsigned: &[Name],
        finished: &[SignedBatch],
        settled: &[Settled],
        ctx: &mut Context<Self>,
    ) {
        for lease in unsigned {
            self.held.remove(lease);
        }
        let (mut stored, mut records) = (Vec::new(), 0);
        for (batch, settled) in finished.iter().zip(settled) {
            self.held.remove(&name(batch.lease()));
            match settled {
                Settled::Committed => {
                    self.links.progress.add_committed(batch.lease().records().len());
                    stored.push((batch.lease().batch(), batch.lease().epoch()));
                    records += batch.lease().records().len();
                }
                Settled::Fenced => self.links.progress.add_fenced(),
                Settled::Refused(error) => self.give_up(name(batch.lease()), error, ctx),
            }
        }
        self.stored.add(&stored, records);
        if !finished.is_empty() {
            self.links.progress.add_commit();
        }
        if settled.contains(&Settled::Fenced) {
            self.inventory_is_due = true;
            self.doubt(ctx);
        }
    }

    /// Somebody wrote where nobody may. The batch stays leased for a while, so that it is not signed
    /// over and over; then it goes back, to be tried once more by whoever leases it.
    fn give_up(&mut self, lease: Name, error: &StoreError, ctx: &mut Context<Self>) {
        log::error!("batch {} cannot be stored: {error}; 'signwave verify' says what is wrong", lease.1);
        self.refused = Some(error.clone());
        self.given_up.insert(lease);
        ctx.run_later(GIVEN_UP, move |actor, ctx| {
            actor.given_up.remove(&lease);
            actor.held.insert(lease);
            actor.unsigned.push(lease);
            actor.settle_what_is_done(ctx);
        });
    }
}
