//! What tokens and sessions have in common: their rows, and their rows in the audit log.

use diesel::SqliteConnection;

use super::{audit_log::InsertAudit, errors::Failure};
use crate::{
    domain::{Action, By, TokenId},
    store::{
        TokenRow,
        sql::{Change, RawToken, Sql, TokenColumns, Value, expect_rows, note, row},
    },
};

/// Writes a row of the audit log.
pub(super) fn log(
    connection: &mut SqliteConnection,
    by: &By,
    action: Action,
    id: TokenId,
    before: Option<&str>,
    after: &str,
) -> Result<(), Failure> {
    let change = Change { action, object: id.as_str(), before, after: Some(after) };
    note::<InsertAudit, _, _>(connection, by, &change)
}

/// The row of a token that is there.
pub(super) fn one(connection: &mut SqliteConnection, id: TokenId) -> Result<TokenRow, Failure> {
    let found: Option<RawToken> = row::<OneToken, _, _>(connection, &[Value::Text(id.as_str())])?;
    expect_rows("reading a token", 1, usize::from(found.is_some()))?;
    Ok(found.map(TokenRow::try_from).transpose()?.expect("one was found"))
}

macro_rules! token_columns {
    () => {
        "SELECT id, name, scopes, certificate_sha256, created_at, expires_at, \
         CAST((julianday(expires_at) - julianday('now')) * 86400000 AS INTEGER), \
         previous_until, revoked_at, last_used_at, parent"
    };
}
pub(super) use token_columns;

struct OneToken;
impl Sql for OneToken {
    const TEXT: &'static str = concat!(token_columns!(), " FROM api_token WHERE id = ?");
    type Columns = TokenColumns;
}
