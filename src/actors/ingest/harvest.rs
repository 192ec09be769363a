//! Harvest: asks Emit to form batches, then leases as many as the shares have room for.

use super::{links::Links, rooms::Room, state::Attempt};
use crate::{
    actors::{
        db::ask,
        end::RunError,
        messages::{Fed, Feed, LeaseBatches, Leased, ReadStatus},
        share::ShareId,
    },
    domain::{Reach, Scheme},
    store::StoreError,
};

/// The result of an attempt to lease.
pub(super) struct Harvest {
    /// Emit's reply.
    pub fed: Fed,
    /// The results of the shares that have tried to lease, in turn.
    pub crops: Vec<Crop>,
    /// Why no key of any share may sign.
    pub no_key: Option<RunError>,
    /// The error after which nothing more was tried.
    pub failure: Option<StoreError>,
}

/// What one share leased.
pub(super) struct Crop {
    /// Its room before.
    pub room: Room,
    /// How many batches were open for it.
    pub promised: usize,
    /// What it leased.
    pub leased: Vec<Leased>,
    /// Whether it leased nothing because none of its keys may sign.
    pub is_keyless: bool,
}

/// Asks Emit to form batches, then leases them: those of the signing threads first, then those of each share that is
/// admitted with this backlog, in a transaction each. `None` if Emit failed. If no key was found, checks whether any
/// key within the reach of this node may sign.
pub(super) async fn harvest(links: &Links, scheme: Scheme, attempt: &Attempt) -> Option<Harvest> {
    let feed = Feed { want: attempt.want, stale: attempt.is_short };
    let fed = match links.feed.send(feed).await {
        Ok(Ok(fed)) => fed,
        // Emit has logged the error, and tries again.
        Ok(Err(_)) | Err(_) => return None,
    };
    let mut harvest = Harvest { fed, crops: Vec::new(), no_key: None, failure: None };
    if fed.open() > 0 {
        let reach = links.opener.reach();
        if let Err(error) = harvest.reap(links, scheme, attempt, &reach).await {
            harvest.failure = Some(error);
        }
    }
    Some(harvest)
}

impl Harvest {
    async fn reap(
        &mut self,
        links: &Links,
        scheme: Scheme,
        attempt: &Attempt,
        reach: &Reach,
    ) -> Result<(), StoreError> {
        let mut open = self.fed.open();
        for room in &attempt.rooms {
            let promised = open.min(room.batches);
            if promised == 0 || self.fed.backlog < room.least_backlog || self.has_found_keys() {
                continue;
            }
            let reach = links.shares.reach(room.share, reach);
            let request = LeaseBatches { node: attempt.node, scheme, limit: room.batches, reach };
            let leased = ask(&links.db.lease, request).await?;
            open = open.saturating_sub(leased.len());
            self.crops.push(Crop { room: *room, promised, leased, is_keyless: room.is_keyless });
        }
        if self.may_lack_keys(links, attempt.is_idle) {
            let status = ask(&links.db.status, ReadStatus).await?;
            for crop in &mut self.crops {
                let reach = links.shares.reach(crop.room.share, reach);
                crop.is_keyless = crop.leased.is_empty() && status.usable_within(&reach) == 0;
            }
            self.no_key = RunError::without_key(&status, reach).filter(|_| self.leased() == 0);
        }
        Ok(())
    }

    /// Whether the signing threads have keys again, so that the other shares are not admitted without a condition.
    fn has_found_keys(&self) -> bool {
        self.crops.iter().any(|crop| {
            crop.room.share == ShareId::SIGNING && crop.room.is_keyless && !crop.leased.is_empty()
        })
    }

    /// Whether nothing was leased by an idle node, or by idle signing threads beside other shares.
    fn may_lack_keys(&self, links: &Links, is_idle: bool) -> bool {
        let signing = self.crops.iter().find(|crop| crop.room.share == ShareId::SIGNING);
        let lacks = |crop: &Crop| crop.leased.is_empty() && crop.room.is_idle && !crop.room.is_keyless;
        let is_idle = is_idle && !self.crops.is_empty() && self.leased() == 0;
        is_idle || (links.shares.are_many() && signing.is_some_and(lacks))
    }

    /// How many batches were leased.
    pub fn leased(&self) -> usize {
        self.crops.iter().map(|crop| crop.leased.len()).sum()
    }
}
