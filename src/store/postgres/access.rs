//! The tokens of the API.

use std::time::Duration;

use diesel::{PgConnection, sql_types::Bool};

use super::{PostgresStore, audit_log::InsertAudit, errors::Failure, nodes::millis, transaction::Turn};
use crate::{
    domain::{Action, AuditId, By, Fingerprint, TokenId},
    store::{
        Access, AddTokenVerdict, AuditRow, NewToken, RevokeTokenVerdict, RotateTokenVerdict, Rotation,
        StoreError, StoredToken, TokenRow,
        sql::{
            Change, RawStoredToken, RawToken, Sql, StoredTokenColumns, TokenColumns, Value,
            credential_columns, end_in_words, execute, expect_rows, note, rotation_in_words, row, rows,
            sql_limit, stored_token, token_in_words,
        },
    },
};

impl Access for PostgresStore {
    fn add_token(&self, token: &NewToken, by: &By) -> Result<AddTokenVerdict, StoreError> {
        let (secret, certificate) = credential_columns(token);
        let (scopes, expires_in) = (token.scopes.to_string(), token.expires_in.map(interval));
        // What if we die here? The token is there with its row of the log, or neither is. Nobody has seen its secret.
        self.write_in_turn(Turn::Audit, |connection| {
            if let Some(key) = &certificate
                && let Some(taken) = of_certificate(connection, key)?
            {
                return Ok(AddTokenVerdict::CertificateTaken(taken.id));
            }
            let values = [
                Value::Text(token.id.as_str()),
                Value::Text(token.name.as_str()),
                Value::Text(&scopes),
                Value::OptionalBlob(secret),
                Value::OptionalText(certificate.as_deref()),
                Value::OptionalText(expires_in.as_deref()),
            ];
            expect_rows("adding a token", 1, execute::<InsertToken, _>(connection, &values)?)?;
            let row = one(connection, token.id)?;
            log(connection, by, Action::AddToken, token.id, None, &token_in_words(&row))?;
            Ok(AddTokenVerdict::Added(row))
        })
    }

    fn tokens(&self, after: Option<TokenId>, limit: usize) -> Result<Vec<TokenRow>, StoreError> {
        let limit = Value::Integer(sql_limit(limit));
        self.query(|connection| {
            let rows: Vec<RawToken> = match &after {
                None => rows::<FirstTokens, _, _>(connection, &[limit])?,
                Some(id) => rows::<TokensAfter, _, _>(connection, &[Value::Text(id.as_str()), limit])?,
            };
            Ok(rows.into_iter().map(TokenRow::try_from).collect::<Result<_, _>>()?)
        })
    }

    fn token(&self, id: TokenId) -> Result<Option<StoredToken>, StoreError> {
        self.query(|connection| {
            let found: Option<RawStoredToken> =
                row::<OneStoredToken, _, _>(connection, &[Value::Text(id.as_str())])?;
            Ok(found.map(stored_token).transpose()?)
        })
    }

    fn token_of_certificate(&self, key: Fingerprint) -> Result<Option<TokenRow>, StoreError> {
        self.query(|connection| of_certificate(connection, &key.to_string()))
    }

    fn rotate_token(
        &self,
        id: TokenId,
        rotation: &Rotation,
        by: &By,
    ) -> Result<RotateTokenVerdict, StoreError> {
        let (overlap, expires_in) = (rotation.overlap.map(interval), rotation.expires_in.map(interval));
        // What if we die here? The old secret is valid, or both are. Nobody has seen the new one: rotate again.
        self.write_in_turn(Turn::Audit, |connection| {
            let key = [Value::Text(id.as_str())];
            match row::<StateOf, (bool, bool), _>(connection, &key)? {
                None => return Ok(RotateTokenVerdict::NoSuchToken),
                Some((true, _)) => return Ok(RotateTokenVerdict::IsRevoked),
                Some((_, true)) => return Ok(RotateTokenVerdict::HasCertificate),
                Some((false, false)) => {}
            }
            let before = one(connection, id)?;
            let values = [
                Value::OptionalText(overlap.as_deref()),
                Value::OptionalText(overlap.as_deref()),
                Value::OptionalText(overlap.as_deref()),
                Value::Blob(&rotation.secret.0),
                Value::OptionalText(expires_in.as_deref()),
                Value::Text(id.as_str()),
            ];
            expect_rows("rotating a token", 1, execute::<Rotate, _>(connection, &values)?)?;
            let row = one(connection, id)?;
            let (before, after) = (end_in_words(&before), rotation_in_words(&row));
            log(connection, by, Action::RotateToken, id, Some(&before), &after)?;
            Ok(RotateTokenVerdict::Rotated(Box::new(row)))
        })
    }

    fn revoke_token(&self, id: TokenId, by: &By) -> Result<RevokeTokenVerdict, StoreError> {
        // What if we die here? The token is revoked or it is not; revoking it again says which.
        self.write_in_turn(Turn::Audit, |connection| {
            let key = [Value::Text(id.as_str())];
            match row::<StateOf, (bool, bool), _>(connection, &key)? {
                None => return Ok(RevokeTokenVerdict::NoSuchToken),
                Some((true, _)) => return Ok(RevokeTokenVerdict::WasRevoked),
                Some((false, _)) => {}
            }
            expect_rows("revoking a token", 1, execute::<Revoke, _>(connection, &key)?)?;
            log(connection, by, Action::RevokeToken, id, None, "revoked")?;
            Ok(RevokeTokenVerdict::Revoked)
        })
    }

    fn note_use(&self, id: TokenId, every: Duration) -> Result<bool, StoreError> {
        let every = interval(every);
        // What if we die here? The use is noted or it is not, and the next one is noted again.
        self.write(|connection| {
            let values = [Value::Text(id.as_str()), Value::Text(&every)];
            Ok(execute::<NoteUse, _>(connection, &values)? > 0)
        })
    }

    fn audit_log(&self, after: AuditId, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        self.query(|connection| super::audit_log::page(connection, after, limit))
    }
}

fn log(
    connection: &mut PgConnection,
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
fn one(connection: &mut PgConnection, id: TokenId) -> Result<TokenRow, Failure> {
    let found: Option<RawToken> = row::<OneToken, _, _>(connection, &[Value::Text(id.as_str())])?;
    expect_rows("reading a token", 1, usize::from(found.is_some()))?;
    Ok(found.map(TokenRow::try_from).transpose()?.expect("one was found"))
}

fn of_certificate(connection: &mut PgConnection, key: &str) -> Result<Option<TokenRow>, Failure> {
    let found: Option<RawToken> = row::<OfCertificate, _, _>(connection, &[Value::Text(key)])?;
    Ok(found.map(TokenRow::try_from).transpose()?)
}

/// A text that the server reads as an interval.
fn interval(time: Duration) -> String {
    format!("{} milliseconds", millis(time))
}

macro_rules! time {
    ($column:literal) => {
        concat!("to_char(", $column, " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
    };
}

macro_rules! token_columns {
    () => {
        concat!(
            "SELECT id, name, scopes, certificate_sha256, ",
            time!("created_at"),
            ", ",
            time!("expires_at"),
            ", (extract(epoch FROM expires_at - clock_timestamp()) * 1000)::bigint, ",
            time!("previous_until"),
            ", ",
            time!("revoked_at"),
            ", ",
            time!("last_used_at")
        )
    };
}

struct FirstTokens;
impl Sql for FirstTokens {
    const TEXT: &'static str =
        concat!(token_columns!(), " FROM api_token ORDER BY api_token.created_at, id LIMIT ?");
    type Columns = TokenColumns;
}

struct TokensAfter;
impl Sql for TokensAfter {
    const TEXT: &'static str = concat!(
        token_columns!(),
        " FROM api_token WHERE (created_at, id) > (SELECT created_at, id FROM api_token WHERE id = ?) \
         ORDER BY api_token.created_at, id LIMIT ?"
    );
    type Columns = TokenColumns;
}

struct OneToken;
impl Sql for OneToken {
    const TEXT: &'static str = concat!(token_columns!(), " FROM api_token WHERE id = ?");
    type Columns = TokenColumns;
}

struct OneStoredToken;
impl Sql for OneStoredToken {
    const TEXT: &'static str = concat!(
        token_columns!(),
        ", secret_sha256, previous_sha256, \
         (extract(epoch FROM previous_until - clock_timestamp()) * 1000)::bigint \
         FROM api_token WHERE id = ?"
    );
    type Columns = StoredTokenColumns;
}

struct OfCertificate;
impl Sql for OfCertificate {
    const TEXT: &'static str =
        concat!(token_columns!(), " FROM api_token WHERE certificate_sha256 = ? AND revoked_at IS NULL");
    type Columns = TokenColumns;
}

/// Whether it is revoked, and whether a certificate stands for it.
struct StateOf;
impl Sql for StateOf {
    const TEXT: &'static str = "SELECT revoked_at IS NOT NULL, certificate_sha256 IS NOT NULL FROM api_token \
         WHERE id = ? FOR NO KEY UPDATE";
    type Columns = (Bool, Bool);
}

struct InsertToken;
impl Sql for InsertToken {
    const TEXT: &'static str = "INSERT INTO api_token \
         (id, name, scopes, secret_sha256, certificate_sha256, expires_at) \
         VALUES (?, ?, ?, ?, ?, clock_timestamp() + ?::text::interval)";
    type Columns = ();
}

/// Without an overlap its interval is NULL. The least of several values ignores NULL, as in a token without an end.
struct Rotate;
impl Sql for Rotate {
    const TEXT: &'static str = "UPDATE api_token SET \
         previous_sha256 = CASE WHEN ?::text IS NOT NULL THEN secret_sha256 END, \
         previous_until = CASE WHEN ?::text IS NOT NULL \
             THEN least(clock_timestamp() + ?::text::interval, expires_at) END, \
         secret_sha256 = ?, expires_at = clock_timestamp() + ?::text::interval WHERE id = ?";
    type Columns = ();
}

struct Revoke;
impl Sql for Revoke {
    const TEXT: &'static str = "UPDATE api_token SET revoked_at = clock_timestamp() WHERE id = ?";
    type Columns = ();
}

struct NoteUse;
impl Sql for NoteUse {
    const TEXT: &'static str = "UPDATE api_token SET last_used_at = clock_timestamp() \
         WHERE id = ? AND revoked_at IS NULL \
         AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - ?::text::interval)";
    type Columns = ();
}
