//! Ingest: leases batches, has them signed, and stores what comes back. Whatever the node holds is
//! held here.

mod inventory;
mod settling;

use std::{collections::HashSet, sync::Arc, time::Duration};

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Recipient, ResponseFuture, SpawnHandle, WrapFuture,
};
use tokio::sync::oneshot;

use self::inventory::Stored;
use super::{
    db::Db,
    end::{End, Ends, RunError},
    harvest::{Harvest, harvest},
    messages::{Doubt, Feed, LeaseBatches, Leased, Reregister, Settle, Sign, SignFailed, Wake},
    outage::Outage,
    progress::Progress,
    standing::Standing,
};
use crate::{
    config::Settings,
    domain::{BatchId, Epoch, Lease, NodeId, Scheme, SignedBatch},
    store::StoreError,
};

/// The owner of this node's leases. At most `limit` batches are in hand at any time: being signed,
/// or waiting for the transaction in which they are stored together.
pub struct Ingest {
    links: Links,
    scheme: Scheme,
    limit: usize,
    draining: bool,
    /// Every lease that is not settled yet.
    held: HashSet<Name>,
    /// Those of them that are on their way to a signing thread, or there.
    signing: HashSet<Name>,
    /// What the schema refused: leased for a while, and in nobody's hand.
    given_up: HashSet<Name>,
    finished: Vec<SignedBatch>,
    unsigned: Vec<Name>,
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
    stored: Stored,
    /// How often it is compared with what the database says.
    inventory_every: Duration,
    inventory_is_due: bool,
    /// It was compared after nothing was left to lease.
    has_compared: bool,
    /// How often the database had been away when that was done last.
    outages_seen: u64,
    /// A stop that comes while a batch is being signed waits for so long.
    stop_grace: Duration,
    /// It was said already that a batch takes longer.
    said_too_long: bool,
    /// What a run that drains ends with, once everything else is done.
    refused: Option<StoreError>,
}

/// What a lease is called here. By epoch: a batch that was reclaimed may be leased anew while its older
/// signatures are still on their way to the fence. By node: in a database that went back in time the same
/// epoch comes once more.
type Name = (NodeId, BatchId, Epoch);

fn name(lease: &Lease) -> Name {
    (lease.node(), lease.batch(), lease.epoch())
}

/// How long signatures wait at most for others to be stored with them.
const GATHER: Duration = Duration::from_millis(25);

/// It tries again that soon, also where polls are rare because news are heard.
const PAUSE_AT_MOST: Duration = Duration::from_secs(1);

/// Less than that is not worth keeping.
const LONG: Duration = Duration::from_secs(5);

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
            signing: HashSet::new(),
            given_up: HashSet::new(),
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
            stored: Stored::default(),
            inventory_every: settings.lease_ttl / 3,
            inventory_is_due: false,
            has_compared: false,
            outages_seen: 0,
            stop_grace: settings.stop_grace,
            said_too_long: false,
            refused: None,
        }
    }

    /// Does whatever can be done now. Called when leases have ended, and when there may be new work.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        self.settle_what_is_done(ctx);
        // What was given up comes back on top of whatever was leased in its place.
        let free = self.limit.saturating_sub(self.held.len());
        self.again = self.leasing;
        if self.limit > 0 && !self.leasing && !self.uncertain && self.links.standing.is_running() {
            // Without a trusted lease of its own the node waits for Heartbeat to wake it.
            if let Some(node) = self.links.standing.node() {
                if self.must_take_inventory() {
                    self.take_inventory(node, ctx);
                } else if free > 0 {
                    self.lease(node, free, ctx);
                }
            }
        }
    }

    /// Now and then, and whenever the database was away: it may be another one that is back.
    fn must_take_inventory(&mut self) -> bool {
        let outages = self.links.standing.outages();
        let was_away = std::mem::replace(&mut self.outages_seen, outages) != outages;
        std::mem::take(&mut self.inventory_is_due) || was_away
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
            actor.reap(free, idle, harvest, ctx);
        }));
    }

    /// `idle`: nothing was in hand when it was asked for.
    fn reap(&mut self, free: usize, idle: bool, harvest: Harvest, ctx: &mut Context<Self>) {
        match harvest {
            Harvest::Leased(opened, leased) => {
                self.stale = leased.len() < opened.open.min(free);
                self.keyless = false;
                self.leasing_works(&Ok(()));
                // What this node still held when the batches were counted is among those that were leased:
                // it is counted once more.
                let drained = opened.open == 0 && opened.waiting.is_none() && idle && self.held.is_empty();
                self.has_compared &= leased.is_empty();
                // What was refused may keep the last key: then there is nothing left to try.
                let stuck = leased.is_empty() && self.held.is_empty();
                match self.refused.clone() {
                    Some(error) if self.draining && (drained || stuck) => {
                        self.links.ends.end(End::Failed(error.into()));
                    }
                    None if self.draining && drained && opened.leased > 0 && !self.has_compared => {
                        // Others hold them, unless they are this node's own and it does not know.
                        (self.has_compared, self.inventory_is_due, self.again) = (true, true, true);
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
                self.leasing_works(&Err(error.clone()));
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
        let name = name(&leased.lease);
        self.held.insert(name);
        if !self.links.standing.is_running() {
            self.unsigned.push(name);
            return;
        }
        self.signing.insert(name);
        let sign = self.links.sign.clone();
        let signing = async move { sign.send(Sign(leased)).await.unwrap_or(Err(SignFailed::Gone)) };
        ctx.spawn(signing.into_actor(self).map(move |result, actor, ctx| {
            actor.signing.remove(&name);
            actor.warn_of_long_batches();
            match result {
                Ok(signed) => actor.finished.push(signed),
                Err(failure) => {
                    if !matches!(failure, SignFailed::Interrupted(_)) {
                        log::warn!("batch {} was not signed and goes back: {failure}", name.1);
                        actor.links.progress.add_failed();
                    }
                    actor.unsigned.push(name);
                }
            }
            actor.settle_what_is_done(ctx);
        }));
    }

    /// Stopped again and again in the middle of such a batch, nothing would ever be stored.
    fn warn_of_long_batches(&mut self) {
        let Some(takes) = self.links.standing.workload().whole_batch() else { return };
        if takes > self.stop_grace.max(LONG) && !std::mem::replace(&mut self.said_too_long, true) {
            log::warn!(
                "a batch takes about {} s to sign here, longer than a stop waits (stop-grace {:?}): a stop discards what \
                 is signed of it; raise stop-grace, and lower batch-size for batches that are formed later",
                takes.as_secs(),
                self.stop_grace
            );
        }
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
        ctx.run_interval(self.inventory_every, |actor, ctx| {
            actor.warn_of_long_batches();
            actor.inventory_is_due = true;
            actor.pump(ctx);
        });
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
