//! Ingest: leases batches, has them signed, and stores what comes back. Whatever the node holds is
//! held here.

use std::{collections::HashSet, sync::Arc, time::Duration};

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Recipient, ResponseFuture, SpawnHandle, WrapFuture,
};
use tokio::sync::oneshot;

use super::{
    db::Db,
    end::{End, Ends, RunError},
    group_commit::{self, Settled},
    harvest::{Harvest, harvest},
    messages::{Doubt, Feed, LeaseBatches, Leased, Reregister, Settle, Sign, SignFailed, Wake},
    outage::Outage,
    progress::Progress,
    standing::Standing,
};
use crate::{
    config::Settings,
    domain::{BatchId, Epoch, NodeId, Scheme, SignedBatch},
    store::StoreError,
};

/// The owner of this node's leases. At most `limit` batches are in hand at any time: being signed,
/// or waiting for the transaction in which they are stored together.
pub struct Ingest {
    links: Links,
    scheme: Scheme,
    limit: usize,
    draining: bool,
    /// Every lease that is not settled yet. By epoch too: a batch that was reclaimed may be leased
    /// anew while its older signatures are still on their way to the fence.
    held: HashSet<(BatchId, Epoch)>,
    finished: Vec<SignedBatch>,
    unsigned: Vec<(BatchId, Epoch)>,
    leasing: bool,
    settling: bool,
    /// What is done waits for more, since less than [`GATHER`].
    gathering: bool,
    /// It has waited long enough.
    gathered: bool,
    /// The last lease came back short of what Emit had promised.
    stale: bool,
    /// This node may hold leases that it does not know of: it takes nothing more until it has
    /// another identity.
    uncertain: bool,
    /// Something changed while a lease was under way: there may be more to take after it.
    again: bool,
    /// It was said already that no key may sign.
    keyless: bool,
    /// How long to wait after an attempt that came to nothing.
    pause: Duration,
    /// How often in a row others left nothing to lease.
    beaten: u32,
    planned: Option<SpawnHandle>,
    settlers: Vec<oneshot::Sender<()>>,
    outage: Outage,
    /// What a run that drains ends with, once everything else is done.
    refused: Option<StoreError>,
}

/// How long signatures wait at most for others to be stored with them.
const GATHER: Duration = Duration::from_millis(25);

/// It tries again that soon, also where polls are rare because news are heard.
const PAUSE_AT_MOST: Duration = Duration::from_secs(1);

/// How long a batch that the schema refused is left alone.
const GIVEN_UP: Duration = Duration::from_secs(60);

/// Whom Ingest talks to.
#[derive(Clone)]
pub struct Links {
    /// The database.
    pub db: Db,
    /// Emit.
    pub feed: Recipient<Feed>,
    /// Supervisor.
    pub sign: Recipient<Sign>,
    /// Heartbeat.
    pub doubt: Recipient<Doubt>,
    /// Heartbeat.
    pub reregister: Recipient<Reregister>,
    /// Who this node is.
    pub standing: Arc<Standing>,
    /// The counters.
    pub progress: Arc<Progress>,
    /// The run's end.
    pub ends: Ends,
}

impl Ingest {
    /// `draining`: the run ends when nothing is waiting any more.
    pub fn new(settings: &Settings, draining: bool, links: Links) -> Self {
        Self {
            links,
            scheme: settings.scheme,
            limit: if settings.roles.signs() { settings.leases_at_most() } else { 0 },
            draining,
            held: HashSet::new(),
            finished: Vec::new(),
            unsigned: Vec::new(),
            leasing: false,
            settling: false,
            gathering: false,
            gathered: false,
            stale: false,
            uncertain: false,
            again: false,
            keyless: false,
            pause: settings.poll_interval.min(PAUSE_AT_MOST),
            beaten: 0,
            planned: None,
            settlers: Vec::new(),
            outage: Outage::default(),
            refused: None,
        }
    }

    /// Does whatever can be done now. Called when leases have ended, and when there may be new work.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        self.settle_what_is_done(ctx);
        let free = self.limit - self.held.len();
        self.again = self.leasing;
        if free > 0 && !self.leasing && !self.uncertain && self.links.standing.is_running() {
            // Without a trusted lease of its own the node waits for Heartbeat to wake it.
            if let Some(node) = self.links.standing.node() {
                self.lease(node, free, ctx);
            }
        }
    }

    fn settle_what_is_done(&mut self, ctx: &mut Context<Self>) {
        if !self.settling && (!self.finished.is_empty() || !self.unsigned.is_empty()) {
            if self.is_worth_a_transaction() {
                self.settle(ctx);
            } else if !self.gathering {
                self.gathering = true;
                ctx.run_later(GATHER, |actor, ctx| {
                    actor.gathering = false;
                    actor.gathered = true;
                    actor.settle_what_is_done(ctx);
                });
            }
        }
        if self.held.is_empty() && !self.leasing {
            for settler in self.settlers.drain(..) {
                let _ = settler.send(()); // whoever waited may have given up
            }
            if self.uncertain {
                self.change_identity(ctx);
            }
        }
    }

    /// A transaction costs about as much as two RSA operations: while the signers have enough to do, a
    /// few batches are gathered for it, for a moment that nobody notices.
    fn is_worth_a_transaction(&self) -> bool {
        let done = self.finished.len() + self.unsigned.len();
        self.gathered || 2 * done >= self.held.len() || !self.links.standing.is_running()
    }

    /// At most one such attempt is planned at a time.
    fn try_later(&mut self, ctx: &mut Context<Self>) {
        self.try_after(self.pause, ctx);
    }

    fn try_after(&mut self, pause: Duration, ctx: &mut Context<Self>) {
        if let Some(planned) = self.planned.take() {
            ctx.cancel_future(planned);
        }
        self.planned = Some(ctx.run_later(pause, |actor, ctx| {
            actor.planned = None;
            actor.pump(ctx);
        }));
    }

    fn lease(&mut self, node: NodeId, free: usize, ctx: &mut Context<Self>) {
        self.leasing = true;
        let (links, scheme, idle) = (self.links.clone(), self.scheme, self.held.is_empty());
        let feed = Feed { want: free, stale: std::mem::take(&mut self.stale) };
        let harvest =
            async move { harvest(&links, LeaseBatches { node, scheme, limit: free }, feed, idle).await };
        ctx.spawn(harvest.into_actor(self).map(move |harvest, actor, ctx| {
            actor.leasing = false;
            actor.reap(free, harvest, ctx);
        }));
    }

    fn reap(&mut self, free: usize, harvest: Harvest, ctx: &mut Context<Self>) {
        match harvest {
            Harvest::Leased(opened, leased) => {
                self.stale = leased.len() < opened.open.min(free);
                self.keyless = false;
                self.outage.note::<()>("lease batches", &Ok(()));
                let drained = opened.open == 0 && opened.waiting.is_none() && self.held.is_empty();
                // What was refused may keep the last key: then there is nothing left to try.
                let stuck = leased.is_empty() && self.held.is_empty();
                match self.refused.clone() {
                    Some(error) if self.draining && (drained || stuck) => {
                        self.links.ends.end(End::Failed(error.into()));
                    }
                    None if self.draining && drained => {
                        self.links.ends.end(End::Drained { held_elsewhere: opened.leased });
                    }
                    _ => {}
                }
                if leased.is_empty() && opened.open > 0 {
                    // Other nodes were faster, which passes at once, or hold every key.
                    let pause = Duration::from_millis(2 << self.beaten.min(9));
                    self.beaten += 1;
                    self.try_after(pause.min(self.pause), ctx);
                } else {
                    self.beaten = 0;
                }
                leased.into_iter().for_each(|leased| self.sign(leased, ctx));
            }
            Harvest::NoActiveKey { waiting } if self.draining => {
                self.links.ends.end(End::Failed(RunError::NoActiveKey { waiting }));
            }
            Harvest::NoActiveKey { waiting } => {
                if !std::mem::replace(&mut self.keyless, true) {
                    log::warn!("{}", RunError::NoActiveKey { waiting });
                }
                self.try_later(ctx);
            }
            Harvest::NotFed => self.try_later(ctx),
            Harvest::Failed(error) => {
                self.outage.note::<()>("lease batches", &Err(error.clone()));
                self.links.ends.tire(&error, self.outage.lasts(self.links.standing.now()));
                match error {
                    StoreError::Refused(_) => self.doubt(ctx),
                    StoreError::UnknownOutcome(_) => self.uncertain = true,
                    error => self.links.ends.report(&error),
                }
                self.try_later(ctx);
            }
        }
        if self.again {
            self.pump(ctx);
        } else {
            self.settle_what_is_done(ctx);
        }
    }

    fn sign(&mut self, leased: Leased, ctx: &mut Context<Self>) {
        let (batch, epoch) = (leased.lease.batch, leased.lease.epoch);
        self.held.insert((batch, epoch));
        let sign = self.links.sign.clone();
        let signing = async move { sign.send(Sign(leased)).await.unwrap_or(Err(SignFailed::Gone)) };
        ctx.spawn(signing.into_actor(self).map(move |result, actor, ctx| {
            match result {
                Ok(signed) => actor.finished.push(signed),
                Err(failure) => {
                    if !matches!(failure, SignFailed::Interrupted(_)) {
                        log::warn!("batch {batch} was not signed and goes back: {failure}");
                        actor.links.progress.add_failed();
                    }
                    actor.unsigned.push((batch, epoch));
                }
            }
            actor.settle_what_is_done(ctx);
        }));
    }

    /// Stores what is finished, all of it in one transaction, and gives back what was not signed.
    fn settle(&mut self, ctx: &mut Context<Self>) {
        self.settling = true;
        self.gathered = false;
        let finished: Arc<[SignedBatch]> = std::mem::take(&mut self.finished).into();
        let unsigned = std::mem::take(&mut self.unsigned);
        let (links, batches, given_back) = (self.links.clone(), Arc::clone(&finished), unsigned.clone());
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
                    let given_up = finished.iter().map(|batch| (batch.lease().batch, batch.lease().epoch));
                    given_up.chain(unsigned).for_each(|lease| _ = actor.held.remove(&lease));
                }
            }
            actor.pump(ctx);
        }));
    }

    fn settled(
        &mut self,
        unsigned: &[(BatchId, Epoch)],
        finished: &[SignedBatch],
        settled: &[Settled],
        ctx: &mut Context<Self>,
    ) {
        for lease in unsigned {
            self.held.remove(lease);
        }
        for (batch, settled) in finished.iter().zip(settled) {
            self.held.remove(&(batch.lease().batch, batch.lease().epoch));
            match settled {
                Settled::Committed => self.links.progress.add_committed(batch.lease().records.len()),
                Settled::Fenced => self.links.progress.add_fenced(),
                Settled::Refused(error) => {
                    self.give_up((batch.lease().batch, batch.lease().epoch), error, ctx)
                }
            }
        }
        if !finished.is_empty() {
            self.links.progress.add_commit();
        }
        if settled.contains(&Settled::Fenced) {
            self.doubt(ctx);
        }
    }

    /// Somebody wrote where nobody may. The batch stays leased for a while, so that it is not signed
    /// over and over; then it goes back, to be tried once more by whoever leases it.
    fn give_up(&mut self, lease: (BatchId, Epoch), error: &StoreError, ctx: &mut Context<Self>) {
        log::error!("batch {} cannot be stored: {error}; 'signwave verify' says what is wrong", lease.0);
        self.refused = Some(error.clone());
        ctx.run_later(GIVEN_UP, move |actor, ctx| {
            actor.held.insert(lease);
            actor.unsigned.push(lease);
            actor.settle_what_is_done(ctx);
        });
    }

    fn doubt(&mut self, ctx: &mut Context<Self>) {
        let doubt = self.links.doubt.clone();
        ctx.spawn(async move { _ = doubt.send(Doubt).await }.into_actor(self));
    }

    fn change_identity(&mut self, ctx: &mut Context<Self>) {
        self.leasing = true;
        let reregister = self.links.reregister.clone();
        ctx.spawn(async move { _ = reregister.send(Reregister).await }.into_actor(self).map(
            |(), actor, ctx| {
                actor.leasing = false;
                actor.uncertain = false;
                actor.pump(ctx);
            },
        ));
    }
}

impl Actor for Ingest {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.pump(ctx);
    }
}

impl Handler<Wake> for Ingest {
    type Result = ();

    fn handle(&mut self, _: Wake, ctx: &mut Self::Context) {
        self.pump(ctx);
    }
}

impl Handler<Settle> for Ingest {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Settle, ctx: &mut Self::Context) -> Self::Result {
        let (settler, done) = oneshot::channel();
        self.settlers.push(settler);
        self.pump(ctx);
        Box::pin(async move { _ = done.await })
    }
}
