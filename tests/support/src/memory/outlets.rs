//! Outlets, in memory.

use std::time::Duration;

use super::{MemoryStore, feed::FEED, state::Outlet};
use signwave::{
    domain::{Epoch, NodeId, Place, Position},
    store::{AdvanceVerdict, Claim, ClaimVerdict, OutletRow, Outlets, StoreError},
};

impl Outlets for MemoryStore {
    fn claim_outlet(
        &self,
        name: &str,
        node: NodeId,
        time: Duration,
        start: Place,
    ) -> Result<ClaimVerdict, StoreError> {
        if name.is_empty() || name.len() > 1024 {
            return Err(StoreError::Refused("the name of an outlet has 1 to 1,024 bytes".to_owned()));
        }
        let state = &mut *self.lock();
        let (now, last) = (state.now, Place(state.feed.len() as i64));
        let new = || Outlet { position: Position::behind(FEED, start), epoch: Epoch(0), holder: None };
        let outlet = state.outlets.entry(name.to_owned()).or_insert_with(new);
        if outlet.position.place > last {
            return Ok(ClaimVerdict::NotInFeed(outlet.position));
        }
        if let Some((_, until)) =
            outlet.holder.as_mut().filter(|(holder, until)| *holder != node && *until > now)
        {
            *until = now.saturating_add(OutletRow::LONGEST_HOLD).min(*until);
            return Ok(ClaimVerdict::Held);
        }
        (outlet.epoch, outlet.holder) = (outlet.epoch.next(), Some((node, now + time)));
        let (epoch, place) = (outlet.epoch, outlet.position.place);
        Ok(ClaimVerdict::Claimed(Claim { name: name.to_owned(), epoch, place }))
    }

    fn advance_outlet(
        &self,
        claim: &mut Claim,
        place: Place,
        time: Duration,
    ) -> Result<AdvanceVerdict, StoreError> {
        let state = &mut *self.lock();
        let now = state.now;
        let held = state.outlets.get_mut(&claim.name).filter(|outlet| outlet.epoch == claim.epoch);
        let Some((outlet, (holder, _))) = held.and_then(|outlet| outlet.holder.map(|held| (outlet, held)))
        else {
            return Ok(AdvanceVerdict::Fenced);
        };
        if outlet.position.place > place {
            return Ok(AdvanceVerdict::Fenced);
        }
        (outlet.position.place, outlet.holder, claim.place) = (place, Some((holder, now + time)), place);
        Ok(AdvanceVerdict::Advanced)
    }

    fn release_outlet(&self, claim: Claim) -> Result<(), StoreError> {
        let mut state = self.lock();
        let held = state.outlets.get_mut(&claim.name).filter(|outlet| outlet.epoch == claim.epoch);
        held.into_iter().for_each(|outlet| outlet.holder = None);
        Ok(())
    }

    fn outlets(&self) -> Result<Vec<OutletRow>, StoreError> {
        let state = self.lock();
        let row = |(name, outlet): (&String, &Outlet)| OutletRow {
            name: name.clone(),
            position: outlet.position,
            epoch: outlet.epoch,
            holder: outlet.holder.filter(|(_, until)| *until > state.now).map(|(node, _)| node),
        };
        Ok(state.outlets.iter().map(row).collect())
    }
}
