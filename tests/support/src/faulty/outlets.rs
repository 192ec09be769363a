//! Faults of outlets.

use std::time::Duration;

use super::{FaultyStore, Method};
use signwave::{
    domain::{By, NodeId, Place},
    store::{AdvanceVerdict, Claim, ClaimVerdict, OutletRow, Outlets, ResetTo, ResetVerdict, StoreError},
};

impl Outlets for FaultyStore {
    fn claim_outlet(
        &self,
        name: &str,
        node: NodeId,
        time: Duration,
        start: Place,
    ) -> Result<ClaimVerdict, StoreError> {
        self.call(Method::ClaimOutlet, |store| store.claim_outlet(name, node, time, start))
    }

    fn advance_outlet(
        &self,
        claim: &mut Claim,
        place: Place,
        time: Duration,
    ) -> Result<AdvanceVerdict, StoreError> {
        self.call(Method::AdvanceOutlet, |store| store.advance_outlet(claim, place, time))
    }

    fn release_outlet(&self, claim: Claim) -> Result<(), StoreError> {
        self.call(Method::ReleaseOutlet, |store| store.release_outlet(claim))
    }

    fn reset_outlet(&self, name: &str, to: ResetTo, by: &By) -> Result<ResetVerdict, StoreError> {
        self.call(Method::ResetOutlet, |store| store.reset_outlet(name, to, by))
    }

    fn outlets(&self) -> Result<Vec<OutletRow>, StoreError> {
        self.call(Method::Outlets, |store| store.outlets())
    }
}
