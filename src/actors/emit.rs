//! Emit: forms batches out of records that are in none yet.

use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, AtomicResponse, Context, Handler, Recipient, WrapFuture};

use super::{
    db::{Db, ask},
    end::Ends,
    messages::{Feed, Open, Tick, Wake},
    outage::Outage,
    standing::Standing,
};
use crate::{
    config::{Roles, Settings},
    store::{OpenBatches, OpenedBatches, StoreError},
};

/// Forms batches when Ingest asks for them, and looks at the database in between for records that
/// other processes inserted.
pub struct Emit {
    outlet: Outlet,
    rules: Rules,
    /// Batches believed open and not yet spoken for.
    stock: usize,
    /// Ingest wanted more than there was: signers are idle.
    hungry: bool,
    /// Since when records wait for their batch to fill up.
    waiting_since: Option<Duration>,
    ticking: bool,
    /// A look is planned for when the linger is over.
    lingering: bool,
    outage: Outage,
}

/// Where Emit's messages go.
pub struct Outlet {
    /// The database.
    pub db: Db,
    /// Ingest.
    pub ingest: Recipient<Wake>,
    /// Whether it may still work, and the time.
    pub standing: std::sync::Arc<Standing>,
    /// The run's end.
    pub ends: Ends,
}

struct Rules {
    roles: Roles,
    open_at_most: usize,
    batch_size: usize,
    linger: Duration,
    poll_interval: Duration,
    draining: bool,
}

/// Records to form into batches beyond those asked for, so that small batches are formed in bulk.
const RECORDS_AHEAD: usize = 1024;

/// How often what is asked for is formed at once: a transaction carries more then, and several nodes
/// that ask at the same time each find enough.
const TIMES_AHEAD: usize = 4;

impl Emit {
    /// `draining`: an incomplete batch waits for nothing.
    pub fn new(settings: &Settings, draining: bool, outlet: Outlet) -> Self {
        let rules = Rules {
            roles: settings.roles,
            open_at_most: settings.open_at_most(),
            batch_size: settings.batch_size,
            linger: settings.linger,
            poll_interval: settings.poll_interval,
            draining,
        };
        Self {
            outlet,
            rules,
            stock: 0,
            hungry: true,
            waiting_since: None,
            ticking: false,
            lingering: false,
            outage: Outage::default(),
        }
    }

    fn request(&self, want: usize) -> OpenBatches {
        let now = self.outlet.standing.now();
        let lingered = self.waiting_since.is_some_and(|since| now >= since + self.rules.linger);
        OpenBatches {
            batch_size: self.rules.batch_size,
            keep_open: match self.rules.roles {
                Roles::Both => (TIMES_AHEAD * want).max(RECORDS_AHEAD / self.rules.batch_size),
                Roles::Emit => self.rules.open_at_most,
                // It forms none, and is told how many others have formed.
                Roles::Sign => 0,
            },
            partial: self.rules.draining || self.hungry || lingered,
        }
    }

    fn note(&mut self, want: usize, result: &Result<OpenedBatches, StoreError>) {
        self.outlet.standing.heard(result);
        match result {
            Ok(opened) => {
                self.stock = opened.open.saturating_sub(want);
                self.hungry = opened.open < want;
                self.waiting_since = match (opened.waiting, self.waiting_since) {
                    (Some(_), Some(since)) if opened.opened == 0 => Some(since),
                    (Some(_), _) => Some(self.outlet.standing.now()),
                    (None, _) => None,
                };
            }
            Err(error) => {
                self.outlet.ends.report(error);
                self.outlet.ends.tire(error, self.outage.lasts(self.outlet.standing.now()));
            }
        }
        self.outage.note("form batches", result);
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        if !self.ticking {
            self.ticking = true;
            ctx.notify(Tick);
        }
    }

    /// Where nobody asks for batches, an incomplete one is formed when the linger is over, however
    /// long the poll interval.
    fn look_when_lingered(&mut self, ctx: &mut Context<Self>) {
        let has_room = self.stock + 1 < self.rules.open_at_most;
        if !self.rules.roles.signs() && self.waiting_since.is_some() && has_room && !self.lingering {
            self.lingering = true;
            ctx.run_later(self.rules.linger, |actor, ctx| {
                actor.lingering = false;
                actor.look(ctx);
            });
        }
    }
}

impl Actor for Emit {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(self.rules.poll_interval, Self::look);
        if !self.rules.roles.signs() {
            // No Ingest will ask.
            self.look(ctx);
        }
    }
}

impl Handler<Feed> for Emit {
    type Result = AtomicResponse<Self, Result<OpenedBatches, StoreError>>;

    fn handle(&mut self, Feed { want, stale }: Feed, _: &mut Self::Context) -> Self::Result {
        if !stale && self.stock >= want {
            self.stock -= want;
            self.hungry = false;
            let known = OpenedBatches { open: want, waiting: Some(0), ..OpenedBatches::default() };
            return AtomicResponse::new(Box::pin(async move { Ok(known) }.into_actor(self)));
        }
        // Whoever asks for more than is known to be there has idle signers.
        self.hungry = true;
        let (open, request) = (self.outlet.db.open.clone(), self.request(want));
        AtomicResponse::new(Box::pin(async move { ask(&open, Open(request)).await }.into_actor(self).map(
            move |result, actor, _| {
                actor.note(want, &result);
                result
            },
        )))
    }
}

impl Handler<Tick> for Emit {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: Tick, _: &mut Self::Context) -> Self::Result {
        self.ticking = false;
        let signs = self.rules.roles.signs();
        let busy = signs && !self.hungry && self.stock > 0;
        if busy || !self.outlet.standing.is_running() {
            return AtomicResponse::new(Box::pin(async {}.into_actor(self)));
        }
        let (open, request) = (self.outlet.db.open.clone(), self.request(1));
        let (ingest, hungry) = (self.outlet.ingest.clone(), self.hungry);
        AtomicResponse::new(Box::pin(async move { ask(&open, Open(request)).await }.into_actor(self).then(
            move |result, actor, ctx| {
                if signs {
                    // Only Ingest knows whether signers are idle.
                    actor.note(0, &result);
                    actor.hungry = hungry;
                } else {
                    // Elsewhere they are idle when nothing is open.
                    actor.note(1, &result);
                    actor.look_when_lingered(ctx);
                }
                let found = result.is_ok_and(|opened| opened.open > 0);
                async move {
                    if found {
                        // Ingest is gone only when the run is over.
                        let _ = ingest.send(Wake).await;
                    }
                }
                .into_actor(actor)
            },
        )))
    }
}
