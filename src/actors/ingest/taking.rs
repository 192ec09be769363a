//! Taking: leases batches, compares the holdings with the database, and changes the identity in case of doubt.

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::{
    Ingest,
    draining::Verdict,
    harvest::{Harvest, harvest},
    holdings::{Findings, Snapshot},
    state::Attempt,
};
use crate::{
    actors::{
        db::ask,
        end::{End, RunError},
        messages::{Doubt, Fed, Leased, Reregister, TakeInventory},
    },
    domain::NodeId,
    store::{Inventory, StoreError},
};

impl Ingest {
    pub(super) fn lease(&mut self, attempt: Attempt, ctx: &mut Context<Self>) {
        let (links, scheme) = (self.links.clone(), self.scheme);
        let harvest = async move { harvest(&links, scheme, attempt).await };
        ctx.spawn(harvest.into_actor(self).map(move |harvest, actor, ctx| {
            actor.state.leased();
            actor.reap(attempt, harvest, ctx);
            actor.advance(ctx);
        }));
    }

    fn reap(&mut self, attempt: Attempt, harvest: Harvest, ctx: &mut Context<Self>) {
        let is_draining = self.draining.is_some();
        match harvest {
            Harvest::Leased(fed, leased) => self.reap_leases(attempt, &fed, leased, ctx),
            Harvest::NoActiveKey { waiting } if is_draining => {
                self.links.ends.end(End::Failed(RunError::NoActiveKey { waiting }));
            }
            Harvest::NoActiveKey { waiting } => {
                if self.state.luck.found_no_key() {
                    log::warn!("{}", RunError::NoActiveKey { waiting });
                }
                self.try_after(self.pause, ctx);
            }
            Harvest::NotFed => self.try_after(self.pause, ctx),
            Harvest::Failed(error) => {
                self.taking_works(&Err(error.clone()));
                match error {
                    StoreError::Refused(_) => self.doubt(ctx),
                    StoreError::UnknownOutcome(_) => self.state.lost_a_lease(),
                    error => self.links.ends.report(&error),
                }
                self.try_after(self.pause, ctx);
            }
        }
    }

    fn reap_leases(&mut self, attempt: Attempt, fed: &Fed, leased: Vec<Leased>, ctx: &mut Context<Self>) {
        self.taking_works(&Ok(()));
        if let Some(draining) = &mut self.draining {
            let is_idle = self.state.holdings.in_hand() == 0;
            match draining.judge(fed, leased.len(), attempt.is_idle, is_idle) {
                Verdict::GoOn => {}
                Verdict::Compare => {
                    self.state.compare_soon();
                    self.state.wake();
                }
                Verdict::End(end) => self.links.ends.end(end),
            }
        }
        if let Some(pause) = self.state.luck.leased(leased.len(), fed.open().min(attempt.room)) {
            self.try_after(pause.min(self.pause), ctx);
        }
        leased.into_iter().for_each(|leased| self.sign(leased, ctx));
    }

    /// Compares the holdings, and the stored batches, with the database. They differ if the database went back in
    /// time: it was restored, or failed over to a standby that lagged.
    pub(super) fn compare(&mut self, node: NodeId, before: Snapshot, ctx: &mut Context<Self>) {
        let (to, request) =
            (self.links.db.inventory.clone(), TakeInventory { node, stored: self.stored.names() });
        let asking = async move { ask(&to, request).await };
        ctx.spawn(asking.into_actor(self).map(move |result, actor, ctx| {
            match result {
                Ok(inventory) => {
                    actor.taking_works(&Ok(()));
                    actor.report_lost(&inventory);
                    let is_current = actor.links.standing.node() == Some(node);
                    let findings = actor.state.holdings.compare(&before, &inventory.held);
                    let findings = if is_current { findings } else { Findings::AsKnown };
                    report(findings);
                    actor.state.compared(findings);
                }
                Err(error) => {
                    actor.state.not_compared();
                    actor.taking_works(&Err(error.clone()));
                    actor.links.ends.report(&error);
                    actor.try_after(actor.pause, ctx);
                }
            }
            actor.advance(ctx);
        }));
    }

    /// Logs lost batches. The database has broken P1 then, and nothing else can be done about it.
    fn report_lost(&mut self, inventory: &Inventory) {
        let (batches, records) = self.stored.take_out(&inventory.lost);
        if batches > 0 {
            log::error!(
                "the database has lost {batches} batches with {records} signatures that this node had stored: it was \
                 restored, or failed over to a standby that lagged; these records are signed again, even if \
                 their first signatures have been shown"
            );
        }
    }

    /// Notes the result of an attempt to lease, or of a comparison before it.
    fn taking_works(&mut self, result: &Result<(), StoreError>) {
        let now = self.links.standing.now();
        self.links.standing.heard(result);
        self.outage.note("lease batches", result);
        if let Err(error) = result {
            self.links.ends.tire(error, self.outage.lasts(now));
        }
    }

    pub(super) fn doubt(&mut self, ctx: &mut Context<Self>) {
        let doubt = self.links.doubt.clone();
        ctx.spawn(async move { _ = doubt.send(Doubt).await }.into_actor(self));
    }

    pub(super) fn change_identity(&mut self, ctx: &mut Context<Self>) {
        let reregister = self.links.reregister.clone();
        ctx.spawn(async move { _ = reregister.send(Reregister).await }.into_actor(self).map(
            |(), actor, ctx| {
                actor.state.changed_identity();
                actor.advance(ctx);
            },
        ));
    }
}

fn report(findings: Findings) {
    match findings {
        Findings::AsKnown => {}
        Findings::Unknown(unknown) => log::warn!(
            "the database says that this node holds {unknown} batches that the node does not know, as happens after \
             a failover: the node takes a new identity, and those batches are open again"
        ),
        Findings::InVain(in_vain) => log::warn!(
            "this node no longer holds {in_vain} of the batches that it is signing: the database went back in time, \
             or somebody changed it; the node gives up all its batches and takes a new identity"
        ),
    }
}
