//! Inventory: what this node holds and has stored, beside what the database says of it. They differ when the
//! database went back in time: it was restored, or failed over to a standby that lagged.

use std::collections::{HashSet, VecDeque};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::{Ingest, Name};
use crate::{
    actors::{db::ask, messages::TakeInventory},
    domain::{BatchId, Epoch, NodeId},
    store::{Inventory, StoreError},
};

/// What was stored most recently: an entry for each group of batches that went together. What a database
/// forgets are its last transactions, so that the last batch of a group speaks for all of it.
#[derive(Default)]
pub(super) struct Stored {
    groups: VecDeque<Group>,
}

struct Group {
    last: (BatchId, Epoch),
    batches: usize,
    records: u64,
}

/// Half a minute of them, when they follow each other as fast as they can.
const REMEMBERED: usize = 1000;

impl Stored {
    /// These batches were stored, with so many records in all.
    pub(super) fn add(&mut self, batches: &[(BatchId, Epoch)], records: u64) {
        let Some(last) = batches.last() else { return };
        self.groups.push_back(Group { last: *last, batches: batches.len(), records });
        if self.groups.len() > REMEMBERED {
            self.groups.pop_front();
        }
    }

    fn names(&self) -> Vec<(BatchId, Epoch)> {
        self.groups.iter().map(|group| group.last).collect()
    }

    /// Forgets the groups that are lost; how many batches and records they had.
    fn take_out(&mut self, lost: &[(BatchId, Epoch)]) -> (usize, u64) {
        let lost: HashSet<_> = lost.iter().collect();
        let (mut batches, mut records) = (0, 0);
        self.groups.retain(|group| {
            let is_lost = lost.contains(&group.last);
            if is_lost {
                batches += group.batches;
                records += group.records;
            }
            !is_lost
        });
        (batches, records)
    }
}

impl Ingest {
    /// Nothing is leased meanwhile: whatever the database says is held was known before it was asked.
    pub(super) fn take_inventory(&mut self, node: NodeId, ctx: &mut Context<Self>) {
        self.leasing = true;
        let known: HashSet<_> = self.held.iter().chain(&self.given_up).copied().collect();
        let signing = self.signing.clone();
        let (to, request) =
            (self.links.db.inventory.clone(), TakeInventory { node, stored: self.stored.names() });
        let taking = async move { ask(&to, request).await };
        ctx.spawn(taking.into_actor(self).map(move |result, actor, ctx| {
            actor.leasing = false;
            match result {
                Ok(inventory) => {
                    actor.leasing_works(&Ok(()));
                    actor.say_what_is_lost(&inventory);
                    if actor.links.standing.node() == Some(node) {
                        actor.compare(node, &inventory, &known, &signing, ctx);
                    }
                    actor.pump(ctx);
                }
                Err(error) => {
                    actor.inventory_is_due = true;
                    actor.leasing_works(&Err(error.clone()));
                    actor.links.ends.report(&error);
                    actor.settle_what_is_done(ctx);
                    actor.try_later(ctx);
                }
            }
        }));
    }

    /// P1 is broken by the database then; all that is left to do is to say so.
    fn say_what_is_lost(&mut self, inventory: &Inventory) {
        let (batches, records) = self.stored.take_out(&inventory.lost);
        if batches > 0 {
            log::error!(
                "the database has lost {batches} batches with {records} signatures that this node had stored: it was \
                 restored, or failed over to a standby that lagged; these records are signed again, even if \
                 their first signatures have been shown"
            );
        }
    }

    /// What is held and not known, nobody would ever sign, while this node keeps it alive. What is known and
    /// not held is signed in vain.
    fn compare(
        &mut self,
        node: NodeId,
        inventory: &Inventory,
        known: &HashSet<Name>,
        signing: &HashSet<Name>,
        ctx: &mut Context<Self>,
    ) {
        let held: HashSet<_> = inventory.held.iter().map(|(batch, epoch)| (node, *batch, *epoch)).collect();
        let unknown = held.difference(known).count();
        // What was finished meanwhile may have been stored before the database was asked.
        let in_vain =
            signing.difference(&held).filter(|name| name.0 == node && self.signing.contains(name)).count();
        if in_vain > 0 {
            log::warn!(
                "this node no longer holds {in_vain} of the batches that it is signing: the database went back in time, \
                 or somebody changed it; the node gives up all its batches and takes a new identity"
            );
            self.change_identity(ctx);
        } else if unknown > 0 {
            log::warn!(
                "the database says that this node holds {unknown} batches that it does not know, as happens after a \
                 failover: the node takes a new identity, and those batches are open again"
            );
            self.uncertain = true;
        }
    }

    /// Notes how an attempt to lease, or to prepare for it, went.
    pub(super) fn leasing_works(&mut self, result: &Result<(), StoreError>) {
        let now = self.links.standing.now();
        self.links.standing.heard(result);
        self.outage.note("lease batches", result);
        if let Err(error) = result {
            self.links.ends.tire(error, self.outage.lasts(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_is_remembered_for_a_while_and_said_to_be_lost_once() {
        let (mut stored, name) = (Stored::default(), |id| (BatchId(id), Epoch(1)));
        (1..=2000).for_each(|id| stored.add(&[name(10 * id), name(10 * id + 1)], 7));
        stored.add(&[], 0);
        assert_eq!(stored.names().len(), REMEMBERED);
        assert_eq!(stored.take_out(&[name(20_001), name(19_991), name(5)]), (4, 14));
        assert_eq!(stored.take_out(&[name(20_001)]), (0, 0));
        assert_eq!(stored.names().len(), REMEMBERED - 2);
    }
}
