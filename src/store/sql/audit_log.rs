//! The audit log: writing a row, and reading rows.

use diesel::{
    Connection, Queryable,
    query_dsl::methods::ExecuteDsl,
    result::Error,
    sql_types::{BigInt, Nullable, Text},
};

use super::{
    checks::{corrupt, expect_rows},
    statement::{Bound, Sql, Value, execute},
};
use crate::{
    domain::{Action, AuditId, By},
    store::{AuditRow, StoreError},
};

/// A change, as the audit log names it.
pub(in crate::store) struct Change<'a> {
    pub action: Action,
    /// The fingerprint of a key, the id of a token, the name of a webhook or of an outlet, or the id of a
    /// refused message.
    pub object: &'a str,
    pub before: Option<&'a str>,
    pub after: Option<&'a str>,
}

/// Writes a row of the audit log, within the transaction of the change. `Insert` takes who, address, action, object,
/// before, after and the id of the request.
pub(in crate::store) fn note<Insert, C, E>(connection: &mut C, by: &By, change: &Change<'_>) -> Result<(), E>
where
    Insert: Sql,
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, Insert>: ExecuteDsl<C>,
{
    let who = by.who.to_string();
    let values = [
        Value::Text(&who),
        Value::OptionalText(by.address.as_deref()),
        Value::Text(change.action.name()),
        Value::Text(change.object),
        Value::OptionalText(change.before),
        Value::OptionalText(change.after),
        Value::OptionalText(by.request.as_deref()),
    ];
    Ok(expect_rows("writing the audit log", 1, execute::<Insert, _>(connection, &values)?)?)
}

/// A row of the audit log.
#[derive(Queryable)]
pub(in crate::store) struct RawAudit {
    id: i64,
    at: String,
    who: String,
    address: Option<String>,
    action: String,
    object: String,
    before: Option<String>,
    after: Option<String>,
    request_id: Option<String>,
}

/// The columns of [`RawAudit`].
pub(in crate::store) type AuditColumns =
    (BigInt, Text, Text, Nullable<Text>, Text, Text, Nullable<Text>, Nullable<Text>, Nullable<Text>);

impl TryFrom<RawAudit> for AuditRow {
    type Error = StoreError;

    fn try_from(raw: RawAudit) -> Result<Self, StoreError> {
        Ok(Self {
            id: AuditId(raw.id),
            at: raw.at,
            who: raw.who.parse().map_err(|error| corrupt("api_audit", raw.id, &error))?,
            address: raw.address,
            action: raw.action,
            object: raw.object,
            before: raw.before,
            after: raw.after,
            request_id: raw.request_id,
        })
    }
}

/// How many rows the audit log has, and the highest of their ids.
pub(in crate::store) struct AuditSpan;
impl Sql for AuditSpan {
    const TEXT: &'static str = "SELECT count(*), coalesce(max(id), 0) FROM api_audit";
    type Columns = (BigInt, BigInt);
}

/// A sentence when rows are missing: they are numbered from 1 without gaps.
pub(in crate::store) fn missing_rows((rows, highest): (i64, i64)) -> Option<String> {
    (rows != highest).then(|| {
        format!("the audit log ends with row {highest}, but has {rows} rows: rows were deleted from it")
    })
}
