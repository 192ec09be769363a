//! The tokens of the API.

use std::time::Duration;

use diesel::{PgConnection, sql_types::Bool};

use super::{
    PostgresStore,
    errors::Failure,
    sessions,
    time::time,
    token_rows::{interval, log, one, token_columns},
    transaction::Turn,
};
use crate::{
    domain::{Action, AuditId, By, Fingerprint, TokenId},
    store::{
        Access, AddTokenVerdict, AuditRow, NewToken, RevokeTokenVerdict, RotateTokenVerdict, Rotation,
        StoreError, StoredToken, TokenRow,
        sql::{
            RawStoredToken, RawToken, Sql, StoredTokenColumns, TokenColumns, Value, credential_columns,
            end_in_words, execute, expect_rows, revocation_in_words, rotation_in_words, row, rows, sql_limit,
            stored_token, token_in_words,
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
            Ok(AddTokenVerdict::Added(Box::new(row)))
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
            match row::<StateOf, (bool, bool, bool), _>(connection, &key)? {
                None => return Ok(RotateTokenVerdict::NoSuchToken),
                Some((true, ..)) => return Ok(RotateTokenVerdict::IsRevoked),
                Some((_, true, _)) => return Ok(RotateTokenVerdict::HasCertificate),
                Some((_, _, true)) => return Ok(RotateTokenVerdict::IsSession),
                Some((false, false, false)) => {}
            }
            let before = stored(connection, id)?;
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
            // A secret that can no longer be used may have made any of the sessions.
            let ends_all = before.previous.is_some_and(|(_, remaining)| !remaining.is_zero());
            let ended = sessions::end_of(connection, id, ends_all)?;
            let (before, after) = (end_in_words(&before.row), rotation_in_words(&row, ended));
            log(connection, by, Action::RotateToken, id, Some(&before), &after)?;
            Ok(RotateTokenVerdict::Rotated(Box::new(row)))
        })
    }

    fn revoke_token(&self, id: TokenId, by: &By) -> Result<RevokeTokenVerdict, StoreError> {
        // What if we die here? The token is revoked or it is not; revoking it again says which.
        self.write_in_turn(Turn::Audit, |connection| {
            let key = [Value::Text(id.as_str())];
            match row::<StateOf, (bool, bool, bool), _>(connection, &key)? {
                None => return Ok(RevokeTokenVerdict::NoSuchToken),
                Some((true, ..)) => return Ok(RevokeTokenVerdict::WasRevoked),
                Some((false, ..)) => {}
            }
            expect_rows("revoking a token", 1, execute::<Revoke, _>(connection, &key)?)?;
            let after = revocation_in_words(sessions::end_of(connection, id, true)?);
            log(connection, by, Action::RevokeToken, id, None, &after)?;
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

/// The row of a token that is there, with the hashes of its secrets.
fn stored(connection: &mut PgConnection, id: TokenId) -> Result<StoredToken, Failure> {
    let found: Option<RawStoredToken> = row::<OneStoredToken, _, _>(connection, &[Value::Text(id.as_str())])?;
    expect_rows("reading a token", 1, usize::from(found.is_some()))?;
    Ok(found.map(stored_token).transpose()?.expect("one was found"))
}

fn of_certificate(connection: &mut PgConnection, key: &str) -> Result<Option<TokenRow>, Failure> {
    let found: Option<RawToken> = row::<OfCertificate, _, _>(connection, &[Value::Text(key)])?;
    Ok(found.map(TokenRow::try_from).transpose()?)
}

struct FirstTokens;
impl Sql for FirstTokens {
    const TEXT: &'static str = concat!(
        token_columns!(),
        " FROM api_token WHERE parent IS NULL ORDER BY api_token.created_at, id LIMIT ?"
    );
    type Columns = TokenColumns;
}

struct TokensAfter;
impl Sql for TokensAfter {
    const TEXT: &'static str = concat!(
        token_columns!(),
        " FROM api_token WHERE parent IS NULL \
         AND (created_at, id) > (SELECT created_at, id FROM api_token WHERE id = ?) \
         ORDER BY api_token.created_at, id LIMIT ?"
    );
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

/// Whether it is revoked, whether a certificate stands for it, and whether it is a session.
struct StateOf;
impl Sql for StateOf {
    const TEXT: &'static str = "SELECT revoked_at IS NOT NULL, certificate_sha256 IS NOT NULL, parent IS NOT NULL \
         FROM api_token WHERE id = ? FOR NO KEY UPDATE";
    type Columns = (Bool, Bool, Bool);
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
