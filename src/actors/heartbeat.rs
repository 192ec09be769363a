//! Heartbeat: renews this node's lease, and reclaims the batches of dead nodes.

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorFutureExt, AsyncContext, AtomicResponse, Context, Handler, Recipient, WrapFuture};

use super::{
    db::{Db, ask},
    end::Ends,
    messages::{Doubt, Leave, Reclaim, Register, Remove, Renew, Reregister, Tick, Wake},
    outage::Outage,
    standing::Standing,
};
use crate::{
    config::Settings,
    domain::Reach,
    signer::OpenSigner,
    store::{RenewVerdict, StoreError},
};

/// Renews the node's lease every third of its time to live, and registers again if the lease was lost.
pub struct Heartbeat {
    pulse: Pulse,
    ingest: Recipient<Wake>,
    emit: Recipient<Tick>,
    ends: Ends,
    renewing: Outage,
    reclaiming: Outage,
}

/// The parts that are needed to register, renew and reclaim.
#[derive(Clone)]
pub struct Pulse {
    db: Db,
    standing: Arc<Standing>,
    name: String,
    /// Opens the keys of this node; `None` where it signs nothing.
    opener: Option<Arc<dyn OpenSigner>>,
    ttl: Duration,
    grace: Duration,
}

/// Dead nodes are looked for at least this often, because a killed process on the same host is recognised at once.
const LOOK_FOR_DEAD: Duration = Duration::from_secs(1);

impl Pulse {
    /// For the node that `standing` describes. `opener` opens its keys; `None` where it signs nothing.
    pub fn new(
        settings: &Settings,
        opener: Option<Arc<dyn OpenSigner>>,
        db: Db,
        standing: Arc<Standing>,
    ) -> Self {
        let Settings { node_name, lease_ttl, lease_grace, .. } = settings;
        Self { db, standing, name: node_name.clone(), opener, ttl: *lease_ttl, grace: *lease_grace }
    }

    /// The custodians whose keys this node can use now.
    fn reach(&self) -> Reach {
        self.opener.as_ref().map_or_else(|| Reach::of([]), |opener| opener.reach())
    }

    /// Registers this process as a node, under a new id.
    ///
    /// # Errors
    /// Those of the database. An unknown outcome may leave a node behind, which holds nothing and is removed when
    /// its lease runs out.
    pub async fn register(&self) -> Result<(), StoreError> {
        let sent_at = self.standing.now();
        let request = Register { name: self.name.clone(), ttl: self.ttl, reach: self.reach() };
        let node = ask(&self.db.register, request).await?;
        self.standing.renewed(node, sent_at, self.ttl);
        log::info!("this process is node {node} ({})", self.name);
        Ok(())
    }

    /// Reclaims the batches of dead nodes. Returns whether there were any.
    ///
    /// # Errors
    /// The database's.
    pub async fn reclaim(&self) -> Result<bool, StoreError> {
        let me = self.standing.registered();
        let dead = ask(&self.db.reclaim, Reclaim { me, grace: self.grace }).await?;
        for node in &dead {
            log::warn!("node {} ({}) is dead: {} batches are open again", node.node, node.name, node.batches);
        }
        Ok(dead.iter().any(|node| node.batches > 0))
    }

    /// Extends the lease, or registers again if the node was reclaimed.
    async fn renew(&self) -> Result<(), StoreError> {
        let sent_at = self.standing.now();
        match self.standing.registered() {
            // A node that was removed by a stop must not register again.
            None if self.standing.is_interrupting() => Ok(()),
            None => self.register().await,
            Some(node) => match ask(&self.db.renew, Renew { node, ttl: self.ttl, reach: self.reach() }).await
            {
                Ok(RenewVerdict::Renewed) => {
                    self.standing.renewed(node, sent_at, self.ttl);
                    Ok(())
                }
                Ok(RenewVerdict::Gone) => {
                    log::warn!(
                        "node {node} was reclaimed and has lost its batches: this process registers again"
                    );
                    self.standing.lost();
                    self.register().await
                }
                Err(error) => Err(error),
            },
        }
    }

    /// Removes this node with all its leases, and registers under a new id.
    async fn reregister(&self) -> Result<(), StoreError> {
        if let Some(node) = self.standing.registered() {
            self.standing.lost();
            if let Err(error) = ask(&self.db.remove, Remove(node)).await {
                // The old node is no longer renewed. Its lease runs out, and other nodes remove it.
                log::warn!("node {node} could not be removed, so its lease will run out: {error}");
            }
        }
        self.renew().await
    }

    async fn leave(&self) -> Result<(), StoreError> {
        let Some(node) = self.standing.registered() else { return Ok(()) };
        self.standing.lost();
        let given_back = ask(&self.db.remove, Remove(node)).await?;
        log::info!("node {node} was removed, and {given_back} batches are open again");
        Ok(())
    }
}

impl Heartbeat {
    /// Renews with `pulse`. Wakes `ingest` when the node has a lease again, and `emit` when batches were reclaimed.
    pub fn new(pulse: Pulse, ingest: Recipient<Wake>, emit: Recipient<Tick>, ends: Ends) -> Self {
        Self { pulse, ingest, emit, ends, renewing: Outage::default(), reclaiming: Outage::default() }
    }

    /// Renews the lease, and plans the next renewal, which comes sooner if this one failed. Renewals do not overlap.
    fn beat(&mut self, ctx: &mut Context<Self>) {
        let pulse = self.pulse.clone();
        ctx.wait(renew_and_wake(pulse, self.ingest.clone()).into_actor(self).map(|renewed, actor, ctx| {
            actor.renewed(&renewed);
            let Pulse { ttl, standing, .. } = &actor.pulse;
            let pause = if standing.node().is_some() { *ttl / 3 } else { (*ttl / 10).min(LOOK_FOR_DEAD) };
            ctx.run_later(pause, Self::beat);
        }));
    }

    fn renewed(&mut self, renewed: &Result<(), StoreError>) {
        self.pulse.standing.heard(renewed);
        self.renewing.note("renew this node's lease", renewed);
        if let Err(error) = renewed {
            self.ends.tire(error, self.renewing.lasts(self.pulse.standing.now()));
        }
    }

    fn plan_to_look_for_dead(&self, ctx: &mut Context<Self>) {
        ctx.run_later(LOOK_FOR_DEAD.min(self.pulse.ttl / 3), Self::look_for_dead);
    }

    fn look_for_dead(&mut self, ctx: &mut Context<Self>) {
        let (pulse, emit) = (self.pulse.clone(), self.emit.clone());
        let looking = async move {
            let found = pulse.reclaim().await;
            if found == Ok(true) {
                // Sending fails only when the run is over.
                let _ = emit.send(Tick).await;
            }
            found
        };
        // The next look is planned when this one is over. With an interval, slow looks would follow each other
        // without a break, and the lease could not be renewed.
        ctx.wait(looking.into_actor(self).map(|found, actor, ctx| {
            actor.pulse.standing.heard(&found);
            actor.reclaiming.note("look for dead nodes", &found);
            if let Err(error) = &found {
                actor.ends.tire(error, actor.reclaiming.lasts(actor.pulse.standing.now()));
            }
            actor.plan_to_look_for_dead(ctx);
        }));
    }
}

async fn renew_and_wake(pulse: Pulse, ingest: Recipient<Wake>) -> Result<(), StoreError> {
    let before = pulse.standing.node();
    let renewed = pulse.renew().await;
    if pulse.standing.node().is_some() && pulse.standing.node() != before {
        // Sending fails only when the run is over.
        let _ = ingest.send(Wake).await;
    }
    renewed
}

impl Actor for Heartbeat {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_later(self.pulse.ttl / 3, Self::beat);
        self.plan_to_look_for_dead(ctx);
    }
}

impl Handler<Doubt> for Heartbeat {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: Doubt, _: &mut Self::Context) -> Self::Result {
        let renewal = renew_and_wake(self.pulse.clone(), self.ingest.clone());
        AtomicResponse::new(Box::pin(
            renewal.into_actor(self).map(|renewed, actor, _| actor.renewed(&renewed)),
        ))
    }
}

impl Handler<Reregister> for Heartbeat {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: Reregister, _: &mut Self::Context) -> Self::Result {
        let pulse = self.pulse.clone();
        AtomicResponse::new(Box::pin(
            async move { pulse.reregister().await }
                .into_actor(self)
                .map(|renewed, actor, _| actor.renewed(&renewed)),
        ))
    }
}

impl Handler<Leave> for Heartbeat {
    type Result = AtomicResponse<Self, Result<(), StoreError>>;

    fn handle(&mut self, _: Leave, _: &mut Self::Context) -> Self::Result {
        let pulse = self.pulse.clone();
        AtomicResponse::new(Box::pin(async move { pulse.leave().await }.into_actor(self)))
    }
}
