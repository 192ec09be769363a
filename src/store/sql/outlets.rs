//! Outlets: their rows, and what a claim comes to.

use std::time::Duration;

use diesel::{
    Connection, Queryable,
    query_dsl::methods::ExecuteDsl,
    result::Error,
    sql_types::{BigInt, Nullable, Text},
};

use super::{
    audit_log::{Change, note},
    checks::expect_rows,
    feed::feed_id,
    statement::{Bound, Sql, Value, execute},
};
use crate::{
    domain::{Action, By, Epoch, NodeId, Place, Position},
    store::{Claim, ClaimVerdict, FeedEnd, OutletRow, ResetTo, ResetVerdict, StoreError},
};

/// An outlet.
#[derive(Queryable)]
pub(in crate::store) struct RawOutlet {
    name: String,
    feed: String,
    position: i64,
    epoch: i64,
    holder: Option<i64>,
    /// How long it is held, in milliseconds.
    remaining: Option<i64>,
}

/// The columns of [`RawOutlet`].
pub(in crate::store) type OutletColumns = (Text, Text, BigInt, BigInt, Nullable<BigInt>, Nullable<BigInt>);

/// What a node does about an outlet that it wants to claim.
pub(in crate::store) enum Step {
    /// Store the claim.
    Take(Claim),
    /// Another node holds it.
    Leave,
    /// Another node holds it for longer than any claim lasts, because the clock was set back: count its hold from now.
    CountFromNow(String),
    /// Change nothing, and report this.
    Report(ClaimVerdict),
}

/// Decides what a claim comes to. The row is locked, and was locked before the end of the feed was read.
pub(in crate::store) fn judge(raw: RawOutlet, end: FeedEnd, node: NodeId) -> Result<Step, StoreError> {
    let remaining = raw.remaining();
    let outlet = OutletRow::try_from(raw)?;
    if outlet.position.feed != end.feed || outlet.position.place > end.last {
        return Ok(Step::Report(ClaimVerdict::NotInFeed(outlet.position)));
    }
    Ok(match outlet.holder {
        Some(holder) if holder != node && remaining > Some(OutletRow::LONGEST_HOLD) => {
            Step::CountFromNow(outlet.name)
        }
        Some(holder) if holder != node => Step::Leave,
        _ => {
            Step::Take(Claim { name: outlet.name, epoch: outlet.epoch.next(), place: outlet.position.place })
        }
    })
}

/// Moves an outlet within a transaction that is under way, and writes a row of the log with `Insert`. The row is locked, and
/// was locked before the end of the feed was read.
pub(in crate::store) fn reset<Insert, C, E>(
    connection: &mut C,
    (raw, end): (RawOutlet, FeedEnd),
    to: ResetTo,
    by: &By,
) -> Result<ResetVerdict, E>
where
    Insert: Sql,
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, Insert>: ExecuteDsl<C>,
    for<'a> Bound<'a, MoveOutlet>: ExecuteDsl<C>,
{
    // A hold that ends later dates from before the clock was set back. Its node is fenced.
    let is_held = raw.remaining() <= Some(OutletRow::LONGEST_HOLD);
    let outlet = OutletRow::try_from(raw)?;
    if let Some(holder) = outlet.holder.filter(|_| is_held) {
        return Ok(ResetVerdict::Held(holder));
    }
    let place = match to {
        ResetTo::Start => Place(0),
        ResetTo::End => end.last,
        ResetTo::Behind(feed, place) if feed == end.feed && place <= end.last => place,
        ResetTo::Behind(..) => {
            return Ok(ResetVerdict::NotInFeed(Position::behind(end.feed, end.last)));
        }
    };
    let (before, after) = (outlet.position, Position::behind(end.feed, place));
    let step = Value::Integer(OutletRow::RESET_STEP);
    let moved =
        execute::<MoveOutlet, _>(connection, &[Value::Integer(place.0), step, Value::Text(&outlet.name)])?;
    expect_rows("resetting an outlet", 1, moved)?;
    let (from, to) = (before.to_string(), after.to_string());
    let change = Change {
        action: Action::ResetOutlet,
        object: &outlet.name,
        before: Some(from.as_str()),
        after: Some(to.as_str()),
    };
    note::<Insert, C, E>(connection, by, &change)?;
    Ok(ResetVerdict::Reset { before, after })
}

impl RawOutlet {
    fn remaining(&self) -> Option<Duration> {
        self.remaining.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis)
    }
}

impl TryFrom<RawOutlet> for OutletRow {
    type Error = StoreError;

    fn try_from(raw: RawOutlet) -> Result<Self, StoreError> {
        let is_held = raw.remaining.is_some_and(|millis| millis > 0);
        Ok(Self {
            name: raw.name,
            position: Position::behind(feed_id(Some(&raw.feed))?, Place(raw.position)),
            epoch: Epoch(raw.epoch),
            holder: raw.holder.filter(|_| is_held).map(NodeId),
        })
    }
}

/// Makes an outlet unless it is there.
pub(in crate::store) struct InsertOutlet;
impl Sql for InsertOutlet {
    const TEXT: &'static str = "INSERT INTO outlet (name, feed, position) SELECT ?, id, ? FROM feed_identity \
         WHERE TRUE ON CONFLICT DO NOTHING";
    type Columns = ();
}

/// The id of the feed and its last position.
pub(in crate::store) struct EndOfFeed;
impl Sql for EndOfFeed {
    const TEXT: &'static str =
        "SELECT (SELECT id FROM feed_identity), (SELECT coalesce(max(position), 0) FROM feed)";
    type Columns = (Nullable<Text>, BigInt);
}

/// Moves an outlet to a place of the feed, and ends a hold on it. Takes the place, how much to add to the epoch,
/// and the name.
pub(in crate::store) struct MoveOutlet;
impl Sql for MoveOutlet {
    const TEXT: &'static str = "UPDATE outlet SET feed = (SELECT id FROM feed_identity), position = ?, \
         epoch = epoch + ?, holder = NULL, held_until = NULL WHERE name = ?";
    type Columns = ();
}

/// Gives an outlet back. Takes the name and the epoch.
pub(in crate::store) struct Release;
impl Sql for Release {
    const TEXT: &'static str =
        "UPDATE outlet SET holder = NULL, held_until = NULL WHERE name = ? AND epoch = ?";
    type Columns = ();
}
