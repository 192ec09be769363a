//! Outlets, in memory.

use std::time::Duration;

use super::{MemoryStore, access::can_be_logged, feed::FEED, state::Outlet};
use signwave::{
    domain::{Action, By, Epoch, NodeId, Place, Position},
    store::{AdvanceVerdict, Claim, ClaimVerdict, OutletRow, Outlets, ResetTo, ResetVerdict, StoreError},
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

    fn reset_outlet(&self, name: &str, to: ResetTo, by: &By) -> Result<ResetVerdict, StoreError> {
        can_be_logged(by)?;
        let state = &mut *self.lock();
        let (now, last) = (state.now, state.last_place());
        let Some(outlet) = state.outlets.get_mut(name) else { return Ok(ResetVerdict::NotThere) };
        let longest = now.saturating_add(OutletRow::LONGEST_HOLD);
        if let Some((node, _)) = outlet.holder.filter(|(_, until)| *until > now && *until <= longest) {
            return Ok(ResetVerdict::Held(node));
        }
        let place = match to {
            ResetTo::Start => Place(0),
            ResetTo::End => last,
            ResetTo::Behind(feed, place) if feed == FEED && place <= last => place,
            ResetTo::Behind(..) => return Ok(ResetVerdict::NotInFeed(Position::behind(FEED, last))),
        };
        let (before, after) = (outlet.position, Position::behind(FEED, place));
        let epoch = Epoch(outlet.epoch.0 + OutletRow::RESET_STEP);
        *outlet = Outlet { position: after, epoch, holder: None };
        state.note(by, Action::ResetOutlet, name, Some(&before.to_string()), &after.to_string());
        Ok(ResetVerdict::Reset { before, after })
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
