//! The audit log: one row for each change that somebody must answer for.

use diesel::SqliteConnection;

use super::errors::Failure;
use crate::{
    domain::AuditId,
    store::{
        AuditRow,
        sql::{AuditColumns, RawAudit, Sql, Value, rows, sql_limit},
    },
};

/// See [`crate::store::Access::audit_log`].
pub(super) fn page(
    connection: &mut SqliteConnection,
    after: AuditId,
    limit: usize,
) -> Result<Vec<AuditRow>, Failure> {
    let values = [Value::Integer(after.0), Value::Integer(sql_limit(limit))];
    let found: Vec<RawAudit> = rows::<AuditAfter, _, _>(connection, &values)?;
    Ok(found.into_iter().map(AuditRow::try_from).collect::<Result<_, _>>()?)
}

/// See [`crate::store::sql::note`].
pub(super) struct InsertAudit;
impl Sql for InsertAudit {
    const TEXT: &'static str = "INSERT INTO api_audit (who, address, action, object, before, after, request_id) \
         VALUES (?, ?, ?, ?, ?, ?, ?)";
    type Columns = ();
}

struct AuditAfter;
impl Sql for AuditAfter {
    const TEXT: &'static str = "SELECT id, at, who, address, action, object, before, after, request_id \
         FROM api_audit WHERE id > ? ORDER BY id LIMIT +?";
    type Columns = AuditColumns;
}
