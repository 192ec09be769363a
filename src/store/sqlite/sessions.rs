//! The sessions of the dashboard.

use diesel::SqliteConnection;

use super::{
    SqliteStore,
    errors::Failure,
    nodes::{after, before},
    token_rows::{log, one, token_columns},
};
use crate::{
    domain::{Action, By, TokenId},
    store::{
        AddSessionVerdict, NewSession, SessionOrigin, Sessions, StoreError, TokenRow,
        sql::{RawToken, Sql, TokenColumns, Value, execute, expect_rows, rows, sql_limit, token_in_words},
    },
};

impl Sessions for SqliteStore {
    fn add_session(&self, session: &NewSession, by: &By) -> Result<AddSessionVerdict, StoreError> {
        let kept_for = before(session.kept_for);
        // What if we die here? The session is there with its row of the log, or neither is. No browser has its secret.
        self.write(|connection| {
            execute::<DeleteOld, _>(connection, &[Value::Text(&kept_for)])?;
            match insert(connection, session)? {
                0 => return Ok(AddSessionVerdict::NoSuchToken),
                inserted => expect_rows("adding a session", 1, inserted)?,
            }
            let row = one(connection, session.id)?;
            log(connection, by, Action::AddSession, session.id, None, &token_in_words(&row))?;
            Ok(AddSessionVerdict::Added(Box::new(row)))
        })
    }

    fn sessions(&self, after: Option<TokenId>, limit: usize) -> Result<Vec<TokenRow>, StoreError> {
        let limit = Value::Integer(sql_limit(limit));
        self.query(|connection| {
            let rows: Vec<RawToken> = match &after {
                None => rows::<FirstSessions, _, _>(connection, &[limit])?,
                Some(id) => rows::<SessionsAfter, _, _>(connection, &[Value::Text(id.as_str()), limit])?,
            };
            Ok(rows.into_iter().map(TokenRow::try_from).collect::<Result<_, _>>()?)
        })
    }

    fn end_session(&self, id: TokenId, by: &By) -> Result<bool, StoreError> {
        // What if we die here? The session has ended or it has not; ending it again says which.
        self.write(|connection| {
            let ended = execute::<End, _>(connection, &[Value::Text(id.as_str())])?;
            if ended > 0 {
                log(connection, by, Action::EndSession, id, None, "signed out")?;
            }
            Ok(ended > 0)
        })
    }
}

fn insert(connection: &mut SqliteConnection, session: &NewSession) -> Result<usize, Failure> {
    let (id, secret) = (Value::Text(session.id.as_str()), Value::Blob(&session.secret.0));
    let life = after(session.expires_in);
    Ok(match &session.origin {
        SessionOrigin::Token(token, hash) => {
            let (token, hash) = (Value::Text(token.as_str()), Value::Blob(&hash.0));
            execute::<InsertOfToken, _>(
                connection,
                &[id, secret, Value::Text(&life), hash, token, hash, hash],
            )?
        }
        SessionOrigin::Terminal(name, scopes) => {
            let (name, scopes) = (Value::Text(name.as_str()), scopes.to_string());
            let values = [id, secret, name, Value::Text(&scopes), Value::Text(&life)];
            execute::<InsertOfTerminal, _>(connection, &values)?
        }
    })
}

/// Ends all sessions of a token that was revoked or rotated, or only those that would outlive it or its secret before the
/// rotation. Returns how many.
pub(super) fn end_of(connection: &mut SqliteConnection, token: TokenId, all: bool) -> Result<usize, Failure> {
    let values = [Value::Text(token.as_str()), Value::Integer(all.into())];
    Ok(execute::<EndOf, _>(connection, &values)?)
}

struct FirstSessions;
impl Sql for FirstSessions {
    const TEXT: &'static str = concat!(
        token_columns!(),
        " FROM api_token WHERE parent IS NOT NULL ORDER BY created_at, id LIMIT +?"
    );
    type Columns = TokenColumns;
}

struct SessionsAfter;
impl Sql for SessionsAfter {
    const TEXT: &'static str = concat!(
        token_columns!(),
        " FROM api_token WHERE parent IS NOT NULL \
         AND (created_at, id) > (SELECT created_at, id FROM api_token WHERE id = ?) \
         ORDER BY created_at, id LIMIT +?"
    );
    type Columns = TokenColumns;
}

/// Inserts nothing unless the token can be used with that secret. The session ends with both at the latest.
struct InsertOfToken;
impl Sql for InsertOfToken {
    const TEXT: &'static str = "INSERT INTO api_token (id, name, scopes, secret_sha256, parent, expires_at) \
         SELECT ?, name, scopes, ?, id, \
             min(strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?), coalesce(expires_at, '9999'), \
                 CASE WHEN secret_sha256 = ? THEN '9999' ELSE previous_until END) \
         FROM api_token WHERE id = ? AND parent IS NULL AND revoked_at IS NULL \
         AND coalesce(expires_at, '9999') > strftime('%Y-%m-%dT%H:%M:%fZ', 'now') \
         AND (secret_sha256 = ? \
             OR previous_sha256 = ? AND previous_until > strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))";
    type Columns = ();
}

struct InsertOfTerminal;
impl Sql for InsertOfTerminal {
    const TEXT: &'static str = "INSERT INTO api_token (id, secret_sha256, name, scopes, parent, expires_at) \
         VALUES (?, ?, ?, ?, 'terminal', strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?))";
    type Columns = ();
}

struct DeleteOld;
impl Sql for DeleteOld {
    const TEXT: &'static str = "DELETE FROM api_token WHERE parent IS NOT NULL \
         AND expires_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?)";
    type Columns = ();
}

struct End;
impl Sql for End {
    const TEXT: &'static str = "UPDATE api_token SET revoked_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') \
         WHERE id = ? AND parent IS NOT NULL AND revoked_at IS NULL";
    type Columns = ();
}

/// Without a secret before the rotation, every session outlives it.
struct EndOf;
impl Sql for EndOf {
    const TEXT: &'static str = "UPDATE api_token SET revoked_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') \
         WHERE parent = ? AND revoked_at IS NULL AND (? = 1 OR expires_at > \
             (SELECT min(coalesce(token.previous_until, ''), coalesce(token.expires_at, '9999')) \
             FROM api_token AS token WHERE token.id = api_token.parent))";
    type Columns = ();
}
