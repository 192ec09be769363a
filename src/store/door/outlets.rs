//! Outlets: how far each way out of the feed is, and which node uses it.

use std::time::Duration;

use crate::{
    domain::{By, Epoch, FeedId, NodeId, Place, Position},
    store::StoreError,
};

/// The ways out, such as a webhook or a queue. Each has one row: the place in the feed up to which everything is sent, and
/// the node that holds the outlet. One node holds it at a time. Each claim has another epoch, so that a node whose hold is
/// over cannot change the place any more.
pub trait Outlets {
    /// Takes an outlet for `time`, at most for [`OutletRow::LONGEST_HOLD`], if no other node holds it. An outlet that is
    /// not there is made, at the place `start` of the feed. `name` has 1 to 1,024 bytes.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the schema refuses the name; those of a transaction that writes.
    fn claim_outlet(
        &self,
        name: &str,
        node: NodeId,
        time: Duration,
        start: Place,
    ) -> Result<ClaimVerdict, StoreError>;

    /// Notes that everything up to `place` is sent, and holds the outlet for `time` from now on. If the claim stands, its
    /// place is `place` afterwards. The same place again only renews the hold. After an unknown outcome, the same call is
    /// repeated.
    fn advance_outlet(
        &self,
        claim: &mut Claim,
        place: Place,
        time: Duration,
    ) -> Result<AdvanceVerdict, StoreError>;

    /// Gives an outlet back, so that another node can take it at once. A claim that does not stand changes nothing.
    fn release_outlet(&self, claim: Claim) -> Result<(), StoreError>;

    /// Sets the position of an outlet that no node holds, because a person has decided where it goes on, and writes a row
    /// of the [audit log](super::Access::audit_log) in the same transaction. An earlier claim changes nothing any more.
    /// Callers number what waits for its position first ([`Feed::sequence`](super::Feed::sequence)), so that the end is
    /// behind every signature.
    fn reset_outlet(&self, name: &str, to: ResetTo, by: &By) -> Result<ResetVerdict, StoreError>;

    /// Every outlet, in the order of the names.
    fn outlets(&self) -> Result<Vec<OutletRow>, StoreError>;
}

/// A hold on an outlet.
#[derive(Debug, PartialEq, Eq)]
pub struct Claim {
    /// The outlet.
    pub name: String,
    /// The number of the claim. A later claim of the same outlet has a higher one.
    pub epoch: Epoch,
    /// Everything up to this place of the feed is sent.
    pub place: Place,
}

impl Claim {
    /// Whether the outlet was reset between a claim with the epoch `earlier` and this one.
    pub fn is_reset_since(&self, earlier: Epoch) -> bool {
        self.epoch.0.saturating_sub(earlier.0) >= OutletRow::RESET_STEP
    }
}

/// What became of a claim.
#[derive(Debug, PartialEq, Eq)]
pub enum ClaimVerdict {
    /// The node holds the outlet.
    Claimed(Claim),
    /// Another node holds it.
    Held,
    /// Nothing was changed, because the outlet's position is not in the feed: it names another feed, or is ahead of the
    /// end. The database was restored or replaced, and a person has to decide where to go on.
    NotInFeed(Position),
}

/// What became of an advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdvanceVerdict {
    /// It is stored.
    Advanced,
    /// Another claim was made since, or the place is behind the one that is stored: nothing was changed.
    Fenced,
}

/// Where an outlet goes on after a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetTo {
    /// At the beginning of the feed.
    Start,
    /// At the end that the feed has now.
    End,
    /// Behind this place of this feed.
    Behind(FeedId, Place),
}

/// What became of a reset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResetVerdict {
    /// It is stored.
    Reset {
        /// The position before.
        before: Position,
        /// The position now.
        after: Position,
    },
    /// There is no such outlet.
    NotThere,
    /// This node holds it. Nothing was changed.
    Held(NodeId),
    /// The place is not in the feed, which ends at this position. Nothing was changed.
    NotInFeed(Position),
}

impl OutletRow {
    /// By how much a reset raises the epoch. A publisher remembers what was confirmed within a batch, and knows by this
    /// step that its memory is void. More claims than this between two claims by one process only make it forget, too.
    pub const RESET_STEP: i64 = 1 << 20;
    /// The longest hold. One that ends later dates from before the clock was set back.
    pub const LONGEST_HOLD: Duration = Duration::from_secs(60);
}

/// An outlet as people may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutletRow {
    /// Its name.
    pub name: String,
    /// Everything up to this position is sent.
    pub position: Position,
    /// The number of the last claim; 0 before the first one.
    pub epoch: Epoch,
    /// The node that holds it now.
    pub holder: Option<NodeId>,
}
