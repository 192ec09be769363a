//! Taking: leases batches, compares the holdings with the database, and changes the identity in case of doubt.

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::{
    Ingest,
    draining::Verdict,
    harvest::{Crop, Harvest, harvest},
    holdings::{Findings, Snapshot},
    luck::Luck,
    state::Attempt,
};
use crate::{
    actors::{
        db::ask,
        end::End,
        messages::{Doubt, Reregister, TakeInventory},
        share::ShareId,
    },
    domain::NodeId,
    store::{Inventory, StoreError},
};

impl Ingest {
    pub(super) fn lease(&mut self, attempt: Attempt, ctx: &mut Context<Self>) {
        let (links, scheme) = (self.links.clone(), self.scheme);
        let harvest = async move { (harvest(&links, scheme, &attempt).await, attempt) };
        ctx.spawn(harvest.into_actor(self).map(move |(harvest, attempt), actor, ctx| {
            actor.state.leased();
            actor.reap(&attempt, harvest, ctx);
            actor.advance(ctx);
        }));
    }

    fn reap(&mut self, attempt: &Attempt, harvest: Option<Harvest>, ctx: &mut Context<Self>) {
        let rooms = || attempt.rooms.iter().map(|room| room.share);
        let Some(harvest) = harvest else {
            rooms().for_each(|share| self.try_after(share, self.pause, ctx));
            return;
        };
        self.state.rooms.note_backlog(harvest.fed.backlog);
        let has_tried = |share| harvest.crops.iter().any(|crop| crop.room.share == share);
        let is_empty = harvest.fed.open() == 0;
        for share in rooms().filter(|share| !has_tried(*share)) {
            self.state.rooms.has_not_tried(share, is_empty);
        }
        let is_draining = self.draining.is_some();
        match (&harvest.failure, &harvest.no_key) {
            (Some(error), _) => {
                self.failed_to_lease(error, ctx);
                rooms().for_each(|share| self.try_after(share, self.pause, ctx));
            }
            (None, Some(reason)) if is_draining => self.links.ends.end(End::Failed(reason.clone())),
            (None, Some(reason)) => {
                if self.state.rooms.luck_of(ShareId::SIGNING) != Luck::Keyless {
                    log::warn!("{reason}");
                }
            }
            (None, None) => self.leased(attempt, &harvest),
        }
        harvest.crops.into_iter().for_each(|crop| self.reap_crop(crop, ctx));
    }

    fn failed_to_lease(&mut self, error: &StoreError, ctx: &mut Context<Self>) {
        self.taking_works(&Err(error.clone()));
        match error {
            StoreError::Refused(_) => self.doubt(ctx),
            StoreError::UnknownOutcome(_) => self.state.lost_a_lease(),
            error => self.links.ends.report(error),
        }
    }

    fn leased(&mut self, attempt: &Attempt, harvest: &Harvest) {
        self.taking_works(&Ok(()));
        // A share may lease what the signing threads have no key for, now that this is known.
        let goes_on = harvest.crops.iter().any(|crop| crop.is_keyless && !crop.room.is_keyless);
        if let Some(draining) = self.draining.as_mut().filter(|_| !goes_on) {
            let is_idle = self.state.holdings.in_hand() == 0;
            match draining.judge(&harvest.fed, harvest.leased(), attempt.is_idle, is_idle) {
                Verdict::GoOn => {}
                Verdict::Compare => {
                    self.state.compare_soon();
                    self.state.wake();
                }
                Verdict::End(end) => self.links.ends.end(end),
            }
        }
    }

    /// Notes what a share has leased, and hands it to the signers. If it was nothing, the share pauses, and no other
    /// does.
    fn reap_crop(&mut self, Crop { room, promised, leased, is_keyless }: Crop, ctx: &mut Context<Self>) {
        let luck = self.state.rooms.luck(room.share);
        if leased.is_empty() && is_keyless {
            if luck.found_no_key() && room.share == ShareId::SIGNING {
                self.state.wake_waiting();
            }
            self.try_after(room.share, self.pause, ctx);
        } else if let Some(pause) = luck.leased(leased.len(), promised) {
            self.try_after(room.share, pause.min(self.pause), ctx);
        }
        leased.into_iter().for_each(|leased| self.sign(leased, room.share, ctx));
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
                    ShareId::first(actor.planned.len())
                        .for_each(|share| actor.try_after(share, actor.pause, ctx));
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
                 restored, or failed over to a standby that lagged; the signatures may have been shown"
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
