//! Outlets: how far each way out of the feed is, and which node uses it.

use std::time::Duration;

use diesel::SqliteConnection;

use super::{SqliteStore, audit_log::InsertAudit, errors::Failure, nodes::after};
use crate::{
    domain::{By, NodeId, Place},
    store::{
        AdvanceVerdict, Claim, ClaimVerdict, FeedEnd, OutletRow, Outlets, ResetTo, ResetVerdict, StoreError,
        sql::{
            EndOfFeed, InsertOutlet, OutletColumns, RawOutlet, Release, Sql, Step, Value, execute,
            expect_rows, feed_id, judge, reset, row, rows,
        },
    },
};

impl Outlets for SqliteStore {
    fn claim_outlet(
        &self,
        name: &str,
        node: NodeId,
        time: Duration,
        start: Place,
    ) -> Result<ClaimVerdict, StoreError> {
        // What if we die here? The outlet is held until its time is over, or not at all. A power cut undoes the claim only
        // together with the process that has it.
        self.write_unsynced(|connection| claim(connection, name, node, time, start))
    }

    fn advance_outlet(
        &self,
        claim: &mut Claim,
        place: Place,
        time: Duration,
    ) -> Result<AdvanceVerdict, StoreError> {
        // What if we die here? The place is stored, or what is behind it is sent again.
        let advanced = self.write(|connection| advance(connection, claim, place, time))?;
        if advanced == AdvanceVerdict::Advanced {
            claim.place = place;
        }
        Ok(advanced)
    }

    fn release_outlet(&self, claim: Claim) -> Result<(), StoreError> {
        // What if we die here? Other nodes wait until the time is over.
        self.write_unsynced(|connection| release(connection, &claim))
    }

    fn reset_outlet(&self, name: &str, to: ResetTo, by: &By) -> Result<ResetVerdict, StoreError> {
        // What if we die here? The outlet has moved and the log says so, or neither. Asking again is harmless.
        self.write(|connection| match find(connection, name)? {
            Some(found) => reset::<InsertAudit, _, _>(connection, found, to, by),
            None => Ok(ResetVerdict::NotThere),
        })
    }

    fn outlets(&self) -> Result<Vec<OutletRow>, StoreError> {
        self.query(|connection| {
            let rows: Vec<RawOutlet> = rows::<AllOutlets, _, _>(connection, &[])?;
            Ok(rows.into_iter().map(OutletRow::try_from).collect::<Result<_, _>>()?)
        })
    }
}

fn claim(
    connection: &mut SqliteConnection,
    name: &str,
    node: NodeId,
    time: Duration,
    start: Place,
) -> Result<ClaimVerdict, Failure> {
    execute::<InsertOutlet, _>(connection, &[Value::Text(name), Value::Integer(start.0)])?;
    let found = find(connection, name)?;
    expect_rows("claiming an outlet", 1, usize::from(found.is_some()))?;
    let (raw, end) = found.expect("one was found");
    take(connection, raw, end, node, time)
}

/// An outlet, which is locked from now on, and the end of the feed.
pub(super) fn find(
    connection: &mut SqliteConnection,
    name: &str,
) -> Result<Option<(RawOutlet, FeedEnd)>, Failure> {
    let Some(raw) = row::<OneOutlet, RawOutlet, _>(connection, &[Value::Text(name)])? else {
        return Ok(None);
    };
    Ok(Some((raw, end_of_feed(connection)?)))
}

/// The end of the feed.
pub(super) fn end_of_feed(connection: &mut SqliteConnection) -> Result<FeedEnd, Failure> {
    let (id, last): (Option<String>, i64) = row::<EndOfFeed, _, _>(connection, &[])?.unwrap_or_default();
    Ok(FeedEnd { feed: feed_id(id.as_deref())?, last: Place(last) })
}

/// Claims an outlet that was found.
pub(super) fn take(
    connection: &mut SqliteConnection,
    raw: RawOutlet,
    end: FeedEnd,
    node: NodeId,
    time: Duration,
) -> Result<ClaimVerdict, Failure> {
    let until = after(time.min(OutletRow::LONGEST_HOLD));
    match judge(raw, end, node)? {
        Step::Take(claim) => {
            let values = [
                Value::Integer(claim.epoch.0),
                Value::Integer(node.0),
                Value::Text(&until),
                Value::Text(&claim.name),
            ];
            expect_rows("claiming an outlet", 1, execute::<Take, _>(connection, &values)?)?;
            Ok(ClaimVerdict::Claimed(claim))
        }
        Step::Leave => Ok(ClaimVerdict::Held),
        Step::CountFromNow(name) => {
            let longest = after(OutletRow::LONGEST_HOLD);
            execute::<CountFromNow, _>(connection, &[Value::Text(&longest), Value::Text(&name)])?;
            Ok(ClaimVerdict::Held)
        }
        Step::Report(verdict) => Ok(verdict),
    }
}

/// Gives an outlet back.
pub(super) fn release(connection: &mut SqliteConnection, claim: &Claim) -> Result<(), Failure> {
    let values = [Value::Text(&claim.name), Value::Integer(claim.epoch.0)];
    execute::<Release, _>(connection, &values)?;
    Ok(())
}

fn advance(
    connection: &mut SqliteConnection,
    claim: &Claim,
    place: Place,
    time: Duration,
) -> Result<AdvanceVerdict, Failure> {
    let until = after(time.min(OutletRow::LONGEST_HOLD));
    let values = [
        Value::Integer(place.0),
        Value::Text(&until),
        Value::Text(&claim.name),
        Value::Integer(claim.epoch.0),
        Value::Integer(place.0),
    ];
    Ok(match execute::<Advance, _>(connection, &values)? {
        0 => AdvanceVerdict::Fenced,
        _ => AdvanceVerdict::Advanced,
    })
}

macro_rules! outlet_columns {
    () => {
        "SELECT name, feed, position, epoch, holder, \
         CAST(round((julianday(held_until) - julianday('now')) * 86400000) AS INTEGER) FROM outlet"
    };
}

struct OneOutlet;
impl Sql for OneOutlet {
    const TEXT: &'static str = concat!(outlet_columns!(), " WHERE name = ?");
    type Columns = OutletColumns;
}

struct AllOutlets;
impl Sql for AllOutlets {
    const TEXT: &'static str = concat!(outlet_columns!(), " ORDER BY name");
    type Columns = OutletColumns;
}

struct Take;
impl Sql for Take {
    const TEXT: &'static str = "UPDATE outlet SET epoch = ?, holder = ?, \
         held_until = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?) WHERE name = ?";
    type Columns = ();
}

struct CountFromNow;
impl Sql for CountFromNow {
    const TEXT: &'static str =
        "UPDATE outlet SET held_until = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?) WHERE name = ?";
    type Columns = ();
}

/// A holder that gave the outlet back advances it no more.
struct Advance;
impl Sql for Advance {
    const TEXT: &'static str = "UPDATE outlet SET position = ?, held_until = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?) \
         WHERE name = ? AND epoch = ? AND position <= ? AND holder IS NOT NULL";
    type Columns = ();
}
