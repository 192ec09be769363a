//! Emit: forms batches from records that are not in a batch yet.

mod stock;

use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, AtomicResponse, Context, Handler, Recipient, WrapFuture};

use self::stock::Stock;
use super::{
    db::{Db, ask},
    end::Ends,
    messages::{Fed, Feed, Open, Supply, Tick, Wake},
    news::News,
    outage::Outage,
    standing::Standing,
};
use crate::{
    config::Settings,
    store::{OpenedBatches, StoreError},
};

/// Forms batches when Ingest asks for them. In between, polls the database for records that other processes inserted.
pub struct Emit {
    outlet: Outlet,
    stock: Stock,
    poll_interval: Duration,
    /// Whether a look at the database is pending.
    ticking: bool,
    outage: Outage,
}

/// Where Emit's messages go.
pub struct Outlet {
    /// The database.
    pub db: Db,
    /// Ingest.
    pub ingest: Recipient<Wake>,
    /// The notifications of new records.
    pub news: News,
    /// Whether the node may still work, and the time.
    pub standing: std::sync::Arc<Standing>,
    /// The run's end.
    pub ends: Ends,
}

impl Emit {
    /// An Emit that knows nothing yet, and looks at the database when it is first asked.
    pub fn new(settings: &Settings, outlet: Outlet) -> Self {
        let (stock, poll_interval) = (Stock::new(settings, outlet.ends.mode()), settings.poll_interval);
        Self { outlet, stock, poll_interval, ticking: false, outage: Outage::default() }
    }

    /// Asks the database for `want` batches.
    fn open(&self, want: usize) -> impl Future<Output = Result<OpenedBatches, StoreError>> + 'static {
        let request = self.stock.request(want, self.outlet.standing.now());
        let open = self.outlet.db.open.clone();
        async move { ask(&open, Open(request)).await }
    }

    fn heard(&mut self, result: &Result<OpenedBatches, StoreError>) {
        self.outlet.standing.heard(result);
        if let Err(error) = result {
            self.outlet.ends.report(error);
            self.outlet.ends.tire(error, self.outage.lasts(self.outlet.standing.now()));
        }
        self.outage.note("form batches", result);
    }

    /// Looks at the database after each notification. A notification during a look waits for the end of the look.
    fn hear(&mut self, ctx: &mut Context<Self>) {
        let news = self.outlet.news.clone();
        ctx.spawn(async move { news.heard().await }.into_actor(self).map(|(), actor, ctx| {
            actor.look(ctx);
            actor.hear(ctx);
        }));
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        if !self.ticking {
            self.ticking = true;
            ctx.notify(Tick);
        }
    }

    fn looked(&mut self, result: &Result<OpenedBatches, StoreError>, ctx: &mut Context<Self>) {
        self.heard(result);
        if let Ok(opened) = result {
            self.stock.looked(opened, self.outlet.standing.now());
        }
        if let Some(linger) = self.stock.plan_look() {
            ctx.run_later(linger, |actor, ctx| {
                actor.stock.looks_as_planned();
                actor.look(ctx);
            });
        }
    }
}

impl Actor for Emit {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(self.poll_interval, Self::look);
        self.hear(ctx);
        if !self.stock.is_asked() {
            self.look(ctx);
        }
    }
}

impl Handler<Feed> for Emit {
    type Result = AtomicResponse<Self, Result<Fed, StoreError>>;

    fn handle(&mut self, Feed { want, stale }: Feed, _: &mut Self::Context) -> Self::Result {
        if !stale && self.stock.promise(want) {
            let fed = Fed { supply: Supply::Promised(want), backlog: self.stock.backlog(want) };
            return AtomicResponse::new(Box::pin(async move { Ok(fed) }.into_actor(self)));
        }
        self.stock.ran_short();
        AtomicResponse::new(Box::pin(self.open(want).into_actor(self).map(move |result, actor, _| {
            actor.heard(&result);
            let opened = result?;
            actor.stock.fed(want, &opened, actor.outlet.standing.now());
            Ok(Fed { supply: Supply::Counted(opened), backlog: actor.stock.backlog(want.min(opened.open)) })
        })))
    }
}

impl Handler<Tick> for Emit {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: Tick, _: &mut Self::Context) -> Self::Result {
        self.ticking = false;
        if self.stock.needs_no_look() || !self.outlet.standing.is_running() {
            return AtomicResponse::new(Box::pin(async {}.into_actor(self)));
        }
        let ingest = self.outlet.ingest.clone();
        AtomicResponse::new(Box::pin(self.open(1).into_actor(self).then(move |result, actor, ctx| {
            actor.looked(&result, ctx);
            let found = result.is_ok_and(|opened| opened.open > 0);
            async move {
                if found {
                    // Sending fails only when the run is over.
                    let _ = ingest.send(Wake).await;
                }
            }
            .into_actor(actor)
        })))
    }
}
