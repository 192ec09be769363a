//! Refused messages: their rows, and what a retry comes to.

use diesel::{
    Connection, Queryable,
    query_dsl::methods::{ExecuteDsl, LoadQuery},
    result::Error,
    sql_types::{BigInt, Binary, Nullable, Text},
};

use super::{
    audit_log::{Change, note},
    checks::{corrupt, expect_rows},
    statement::{Bound, Sql, Value, execute, row},
};
use crate::{
    domain::{Action, ArrivalVerdict, By, InsertVerdict, Refusal, RefusedId, RetryVerdict},
    store::{Arrival, NewRecord, RefusedRow, RetryName, StoreError},
};

/// The words for what has the name of a stored record.
const CONFLICT: &str = "a record with this external_id and another payload is there already";

/// A refused message, without its bytes.
#[derive(Queryable)]
pub(in crate::store) struct RawRefused {
    id: i64,
    source: String,
    external_id: Option<String>,
    kept: i64,
    size: i64,
    reason: String,
    detail: String,
    tries: i64,
    at: String,
}

/// The columns of [`RawRefused`].
pub(in crate::store) type RefusedColumns =
    (BigInt, Text, Nullable<Text>, BigInt, BigInt, Text, Text, BigInt, Text);

impl TryFrom<RawRefused> for RefusedRow {
    type Error = StoreError;

    fn try_from(raw: RawRefused) -> Result<Self, StoreError> {
        Ok(Self {
            id: RefusedId(raw.id),
            source: raw.source,
            external_id: raw.external_id,
            kept: raw.kept as u64,
            size: raw.size as u64,
            reason: raw.reason.parse().map_err(|error| corrupt("refused", raw.id, &error))?,
            detail: raw.detail,
            tries: raw.tries as u64,
            at: raw.at,
        })
    }
}

/// A refused message with its bytes, for a retry.
#[derive(Queryable)]
pub(in crate::store) struct RawRetry {
    id: i64,
    source: String,
    external_id: Option<String>,
    payload: Vec<u8>,
    size: i64,
    reason: String,
}

/// The columns of [`RawRetry`].
pub(in crate::store) type RetryColumns = (BigInt, Text, Nullable<Text>, Binary, BigInt, Text);

impl RawRetry {
    /// The message in words, for the audit log.
    fn in_words(&self) -> String {
        let name = self.external_id.as_deref().unwrap_or("no name");
        format!("{}: {name}, {} bytes from {}", self.reason, self.size, self.source)
    }

    /// The record that it may become, or why it becomes none.
    fn record<'a>(&'a self, name: RetryName<'a>) -> Result<Result<NewRecord<'a>, RetryVerdict>, StoreError> {
        let reason: Refusal = self.reason.parse().map_err(|error| corrupt("refused", self.id, &error))?;
        if reason == Refusal::Malformed {
            return Ok(Err(RetryVerdict::Malformed));
        }
        if self.size as u64 > self.payload.len() as u64 {
            return Ok(Err(RetryVerdict::NotWhole));
        }
        let own = self.external_id.as_deref();
        let external_id = match (name, own) {
            (RetryName::New(name), _) | (_, Some(name)) => Some(name),
            (RetryName::Without, None) => None,
            (RetryName::Kept, None) => return Ok(Err(RetryVerdict::NoName)),
        };
        Ok(Ok(NewRecord { external_id, payload: &self.payload }))
    }
}

/// Stores what has arrived, within a transaction that is under way: records with `add`, and what becomes none as refused
/// messages.
pub(in crate::store) fn store_arrivals<C, E>(
    connection: &mut C,
    source: &str,
    arrivals: &[Arrival<'_>],
    add: impl FnOnce(&mut C, &[NewRecord<'_>]) -> Result<Vec<InsertVerdict>, E>,
) -> Result<Vec<ArrivalVerdict>, E>
where
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, Refuse>: ExecuteDsl<C>,
{
    let verdicts = verdicts(arrivals, &add(connection, &records(arrivals))?);
    for (arrival, reason, detail) in refusals(arrivals, &verdicts) {
        let values = [
            Value::Text(source),
            Value::Blob(&arrival.digest),
            Value::OptionalText(arrival.external_id),
            Value::Blob(arrival.payload),
            Value::Integer(i64::try_from(arrival.size).unwrap_or(i64::MAX)),
            Value::Text(reason.name()),
            Value::Text(detail),
        ];
        expect_rows("refusing a message", 1, execute::<Refuse, _>(connection, &values)?)?;
    }
    Ok(verdicts)
}

/// Makes a record of a refused message with `add`, or counts the try, within a transaction that is under way. `ForRetry`
/// reads the message by its id, and locks it. `Insert` writes the row of the log.
pub(in crate::store) fn retry<ForRetry, Insert, C, E>(
    connection: &mut C,
    id: RefusedId,
    name: RetryName<'_>,
    add: impl FnOnce(&mut C, &[NewRecord<'_>]) -> Result<Vec<InsertVerdict>, E>,
    by: &By,
) -> Result<RetryVerdict, E>
where
    ForRetry: Sql,
    Insert: Sql,
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, ForRetry>: LoadQuery<'a, C, RawRetry>,
    for<'a> Bound<'a, Insert>: ExecuteDsl<C>,
    for<'a> Bound<'a, DropRefused>: ExecuteDsl<C>,
    for<'a> Bound<'a, CountTry>: ExecuteDsl<C>,
{
    let key = [Value::Integer(id.0)];
    let Some(found): Option<RawRetry> = row::<ForRetry, _, _>(connection, &key)? else {
        return Ok(RetryVerdict::NotThere);
    };
    let verdict = match found.record(name)? {
        Err(verdict) => verdict,
        Ok(record) => retried(add(connection, &[record])?.first()),
    };
    let changed = match verdict {
        RetryVerdict::Stored(record) => {
            let after = match name {
                RetryName::New(name) => format!("record {record}: {name}"),
                RetryName::Kept | RetryName::Without => format!("record {record}"),
            };
            log::<Insert, C, E>(connection, Action::RetryRefused, &found, &after, by)?;
            execute::<DropRefused, _>(connection, &key)?
        }
        _ => execute::<CountTry, _>(connection, &key)?,
    };
    expect_rows("retrying a refused message", 1, changed)?;
    Ok(verdict)
}

/// Deletes a refused message within a transaction that is under way. Returns whether there was one.
pub(in crate::store) fn drop_refused<ForRetry, Insert, C, E>(
    connection: &mut C,
    id: RefusedId,
    by: &By,
) -> Result<bool, E>
where
    ForRetry: Sql,
    Insert: Sql,
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, ForRetry>: LoadQuery<'a, C, RawRetry>,
    for<'a> Bound<'a, Insert>: ExecuteDsl<C>,
    for<'a> Bound<'a, DropRefused>: ExecuteDsl<C>,
{
    let key = [Value::Integer(id.0)];
    let Some(found): Option<RawRetry> = row::<ForRetry, _, _>(connection, &key)? else {
        return Ok(false);
    };
    log::<Insert, C, E>(connection, Action::DropRefused, &found, "dropped", by)?;
    expect_rows("dropping a refused message", 1, execute::<DropRefused, _>(connection, &key)?)?;
    Ok(true)
}

fn log<Insert, C, E>(
    connection: &mut C,
    action: Action,
    message: &RawRetry,
    after: &str,
    by: &By,
) -> Result<(), E>
where
    Insert: Sql,
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, Insert>: ExecuteDsl<C>,
{
    let (object, before) = (message.id.to_string(), message.in_words());
    note::<Insert, C, E>(
        connection,
        by,
        &Change { action, object: &object, before: Some(&before), after: Some(after) },
    )
}

/// The same message has one row, which counts how often it was refused.
pub(in crate::store) struct Refuse;
impl Sql for Refuse {
    const TEXT: &'static str = "INSERT INTO refused (source, digest, external_id, payload, size, reason, detail) \
         VALUES (?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (source, digest) DO UPDATE SET tries = refused.tries + 1";
    type Columns = ();
}

/// The bytes that are kept of a refused message, by its id.
pub(in crate::store) struct RefusedPayload;
impl Sql for RefusedPayload {
    const TEXT: &'static str = "SELECT payload FROM refused WHERE id = ?";
    type Columns = Binary;
}

/// Counts another try to make a record of a refused message.
pub(in crate::store) struct CountTry;
impl Sql for CountTry {
    const TEXT: &'static str = "UPDATE refused SET tries = tries + 1 WHERE id = ?";
    type Columns = ();
}

/// Deletes a refused message.
pub(in crate::store) struct DropRefused;
impl Sql for DropRefused {
    const TEXT: &'static str = "DELETE FROM refused WHERE id = ?";
    type Columns = ();
}

/// What the insert of its record means for a retry.
fn retried(verdict: Option<&InsertVerdict>) -> RetryVerdict {
    match verdict {
        Some(InsertVerdict::Inserted(id) | InsertVerdict::AlreadyThere(id)) => RetryVerdict::Stored(*id),
        Some(InsertVerdict::Conflict) | None => RetryVerdict::Conflict,
    }
}

/// The records among what has arrived.
fn records<'a>(arrivals: &[Arrival<'a>]) -> Vec<NewRecord<'a>> {
    let records = arrivals.iter().filter(|arrival| arrival.refusal.is_none());
    records.map(|arrival| NewRecord { external_id: arrival.external_id, payload: arrival.payload }).collect()
}

/// The verdict on each, from those on its records.
fn verdicts(arrivals: &[Arrival<'_>], inserted: &[InsertVerdict]) -> Vec<ArrivalVerdict> {
    let mut inserted = inserted.iter();
    let verdict = |arrival: &Arrival<'_>| match arrival.refusal {
        Some((reason, _)) => ArrivalVerdict::Refused(reason),
        None => match inserted.next() {
            Some(InsertVerdict::Inserted(id)) => ArrivalVerdict::Record(*id),
            Some(InsertVerdict::AlreadyThere(id)) => ArrivalVerdict::AlreadyThere(*id),
            Some(InsertVerdict::Conflict) | None => ArrivalVerdict::Refused(Refusal::Conflict),
        },
    };
    arrivals.iter().map(verdict).collect()
}

/// Those that are refused, each with the reason in words. They come in the order of their digests, so that two
/// transactions with the same messages do not wait for each other in a circle.
fn refusals<'a>(
    arrivals: &'a [Arrival<'a>],
    verdicts: &[ArrivalVerdict],
) -> Vec<(&'a Arrival<'a>, Refusal, &'a str)> {
    let with_reason = arrivals.iter().zip(verdicts).filter_map(|(arrival, verdict)| match verdict {
        ArrivalVerdict::Refused(reason) => {
            Some((arrival, *reason, arrival.refusal.map_or(CONFLICT, |(_, words)| words)))
        }
        _ => None,
    });
    let mut refusals: Vec<_> = with_reason.collect();
    refusals.sort_by_key(|(arrival, ..)| arrival.digest);
    refusals
}
