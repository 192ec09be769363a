//! Ingest: leases batches, has them signed, and stores the signatures. It owns all leases of the node.
//!
//! The module `state` decides what comes next, without an actor. This module, `taking` and `settling` carry it out.

mod admission;
mod draining;
mod harvest;
mod holdings;
mod links;
mod luck;
mod rooms;
mod settling;
mod state;
mod stored;
mod taking;

use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, ResponseFuture, SpawnHandle, WrapFuture};
use tokio::sync::oneshot;

pub use self::links::Links;
use self::{
    draining::Draining,
    holdings::name,
    rooms::Rooms,
    state::{Situation, State, Step},
    stored::Stored,
};
use super::{
    messages::{Leased, Settle, Sign, SignFailed, Wake},
    outage::Outage,
    share::ShareId,
};
use crate::{config::Settings, domain::Scheme};

/// The owner of this node's leases. At most [`Settings::leases_at_most`] batches of the signing threads are in hand at any
/// time: being signed, or waiting for the transaction in which they are stored together. Other shares have few.
pub struct Ingest {
    links: Links,
    scheme: Scheme,
    state: State,
    /// `None` for a service, which never ends by itself.
    draining: Option<Draining>,
    stored: Stored,
    outage: Outage,
    /// How long to wait after an attempt that leased nothing.
    pause: Duration,
    /// The next attempt of each share, if one is planned.
    planned: Vec<Option<SpawnHandle>>,
    /// The callers that wait until nothing is in hand.
    settlers: Vec<oneshot::Sender<()>>,
    /// How often the holdings are compared with the database.
    compare_every: Duration,
    /// How long a stop waits for batches that are being signed.
    stop_grace: Duration,
    /// A batch that takes longer to sign causes a warning. `None` after the warning, which is logged once.
    warn_above: Option<Duration>,
}

/// How long signatures wait at most for others, to be stored in one transaction.
const GATHER: Duration = Duration::from_millis(25);

/// The longest pause before the next attempt, even if the poll interval is longer.
const PAUSE_AT_MOST: Duration = Duration::from_secs(1);

/// A batch that takes less time to sign causes no warning, even if a stop waits for a shorter time.
const LONG: Duration = Duration::from_secs(5);

impl Ingest {
    /// An Ingest with nothing in hand yet.
    pub fn new(settings: &Settings, links: Links) -> Self {
        let mode = links.ends.mode();
        let limit = if mode.roles().signs() { settings.leases_at_most() } else { 0 };
        let rooms = Rooms::new(&links.shares, limit, settings.batch_size);
        Self {
            planned: links.shares.iter().map(|_| None).collect(),
            links,
            scheme: settings.scheme,
            state: State::new(rooms),
            draining: mode.drains().then(Draining::default),
            stored: Stored::default(),
            outage: Outage::default(),
            pause: settings.poll_interval.min(PAUSE_AT_MOST),
            settlers: Vec::new(),
            compare_every: settings.lease_ttl / 3,
            stop_grace: settings.stop_grace,
            warn_above: Some(settings.stop_grace.max(LONG)),
        }
    }

    /// Does everything that can be done now, including a new attempt to lease.
    fn wake(&mut self, ctx: &mut Context<Self>) {
        self.state.wake();
        self.advance(ctx);
    }

    /// Does everything that can be done now.
    fn advance(&mut self, ctx: &mut Context<Self>) {
        loop {
            if self.state.is_at_rest() {
                // A caller may have stopped waiting, so errors are ignored.
                self.settlers.drain(..).for_each(|settler| _ = settler.send(()));
            }
            let standing = &self.links.standing;
            let speeds = |share| standing.workload().speed(share);
            let situation = Situation {
                is_running: standing.is_running(),
                node: standing.node(),
                outages: standing.outages(),
                speeds: &speeds,
            };
            match self.state.next(situation) {
                None => return,
                Some(Step::Settle(done)) => self.settle(done, ctx),
                Some(Step::Gather) => _ = ctx.run_later(GATHER, Self::gathered),
                Some(Step::Compare(node, before)) => self.compare(node, before, ctx),
                Some(Step::Lease(attempt)) => self.lease(attempt, ctx),
                Some(Step::ChangeIdentity) => self.change_identity(ctx),
            }
        }
    }

    fn gathered(&mut self, ctx: &mut Context<Self>) {
        self.state.gathered();
        self.advance(ctx);
    }

    /// Plans an attempt of a share after `pause`, in place of the one that is planned.
    fn try_after(&mut self, share: ShareId, pause: Duration, ctx: &mut Context<Self>) {
        let next = ctx.run_later(pause, move |actor, ctx| {
            actor.planned[share.index()] = None;
            actor.state.wake_share(share);
            actor.advance(ctx);
        });
        if let Some(planned) = self.planned[share.index()].replace(next) {
            ctx.cancel_future(planned);
        }
    }

    fn sign(&mut self, leased: Leased, share: ShareId, ctx: &mut Context<Self>) {
        let name = name(&leased.lease);
        self.state.holdings.sign(name, share);
        self.state.rooms.note_batch(leased.contents.digests().len());
        if !self.links.standing.is_running() {
            self.state.holdings.give_back(name);
            return;
        }
        let sign = self.links.sign.clone();
        let signing = async move { sign.send(Sign(leased)).await.unwrap_or(Err(SignFailed::Gone)) };
        ctx.spawn(signing.into_actor(self).map(move |result, actor, ctx| {
            actor.warn_of_long_batches();
            match result {
                Ok(signed) => actor.state.holdings.finish(signed),
                Err(failure) => {
                    if let Some(reason) = failure.reason() {
                        log::warn!("batch {} was not signed and will be given back: {failure}", name.1);
                        actor.links.counters.add_failed(reason);
                    }
                    actor.state.holdings.give_back(name);
                }
            }
            actor.advance(ctx);
        }));
    }

    /// Warns of batches that take longer to sign than a stop waits. If every run were stopped in the middle of such
    /// a batch, nothing would ever be stored.
    fn warn_of_long_batches(&mut self) {
        let Some(takes) = self.links.standing.workload().whole_batch() else { return };
        if self.warn_above.take_if(|long| takes > *long).is_some() {
            log::warn!(
                "signing a batch takes about {} s on this node, longer than a stop waits (stop-grace {:?}): a stop \
                 discards batches that are being signed; raise stop-grace, and lower batch-size for batches that are \
                 formed later",
                takes.as_secs(),
                self.stop_grace
            );
        }
    }
}

impl Actor for Ingest {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(self.compare_every, |actor, ctx| {
            actor.warn_of_long_batches();
            actor.state.compare_soon();
            actor.wake(ctx);
        });
        self.wake(ctx);
    }
}

impl Handler<Wake> for Ingest {
    type Result = ();

    fn handle(&mut self, _: Wake, ctx: &mut Self::Context) {
        self.wake(ctx);
    }
}

impl Handler<Settle> for Ingest {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Settle, ctx: &mut Self::Context) -> Self::Result {
        let (settler, done) = oneshot::channel();
        self.settlers.push(settler);
        self.wake(ctx);
        Box::pin(async move { _ = done.await })
    }
}
