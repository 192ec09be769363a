//! Tokens: their rows as domain values, and their changes in words.

use std::time::Duration;

use diesel::{
    Queryable,
    sql_types::{BigInt, Binary, Nullable, Text},
};

use crate::{
    domain::{SecretHash, SessionParent, TokenId},
    store::{Credential, NewToken, StoreError, StoredToken, TokenRow},
};

/// A token as people may see it.
#[derive(Queryable)]
pub(in crate::store) struct RawToken {
    id: String,
    name: String,
    scopes: String,
    certificate: Option<String>,
    created_at: String,
    expires_at: Option<String>,
    remaining: Option<i64>,
    previous_until: Option<String>,
    revoked_at: Option<String>,
    last_used_at: Option<String>,
    parent: Option<String>,
}

/// The columns of [`RawToken`]; `remaining` is in milliseconds.
pub(in crate::store) type TokenColumns = (
    Text,
    Text,
    Text,
    Nullable<Text>,
    Text,
    Nullable<Text>,
    Nullable<BigInt>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
);

impl TryFrom<RawToken> for TokenRow {
    type Error = StoreError;

    fn try_from(raw: RawToken) -> Result<Self, StoreError> {
        let id: TokenId =
            raw.id.parse().map_err(|_| StoreError::Corrupt("a token's id is malformed".to_owned()))?;
        // A token whose end cannot be understood must not count as one without an end.
        if raw.expires_at.is_some() != raw.remaining.is_some() {
            return Err(corrupt(id, "its end is not a time"));
        }
        let certificate = raw.certificate.map(|text| text.parse()).transpose();
        let parent = raw.parent.map(|text| text.parse()).transpose();
        Ok(Self {
            id,
            name: raw.name,
            scopes: raw.scopes.parse().map_err(|_| corrupt(id, "its scopes are unknown"))?,
            certificate: certificate.map_err(|_| corrupt(id, "its certificate is not a fingerprint"))?,
            created_at: raw.created_at,
            expires_at: raw.expires_at,
            remaining: raw.remaining.map(millis),
            previous_until: raw.previous_until,
            revoked_at: raw.revoked_at,
            last_used_at: raw.last_used_at,
            parent: parent.map_err(|_| corrupt(id, "its parent is not the id of a token"))?,
        })
    }
}

/// A token, the hash of its secret, the hash of the secret before, and for how many milliseconds that one can be used.
pub(in crate::store) type RawStoredToken = (RawToken, (Option<Vec<u8>>, Option<Vec<u8>>, Option<i64>));

/// The columns of [`RawStoredToken`].
pub(in crate::store) type StoredTokenColumns =
    (TokenColumns, (Nullable<Binary>, Nullable<Binary>, Nullable<BigInt>));

/// Converts a raw row into a [`StoredToken`].
pub(in crate::store) fn stored_token(
    (row, (secret, previous, until)): RawStoredToken,
) -> Result<StoredToken, StoreError> {
    let row = TokenRow::try_from(row)?;
    let hash = |bytes: Vec<u8>| {
        let bytes =
            bytes.try_into().map_err(|_| corrupt(row.id, "the hash of its secret has not 32 bytes"))?;
        Ok::<_, StoreError>(SecretHash(bytes))
    };
    let secret = secret.map(hash).transpose()?;
    let previous = previous.map(hash).transpose()?.zip(until.map(millis));
    Ok(StoredToken { row, secret, previous })
}

fn corrupt(id: TokenId, problem: &str) -> StoreError {
    StoreError::Corrupt(format!("token {id}: {problem}"))
}

/// A time that is past is zero.
fn millis(number: i64) -> Duration {
    Duration::from_millis(u64::try_from(number).unwrap_or(0))
}

/// The columns `secret_sha256` and `certificate_sha256` of a new token.
pub(in crate::store) fn credential_columns(token: &NewToken) -> (Option<&[u8]>, Option<String>) {
    match &token.credential {
        Credential::Secret(hash) => (Some(&hash.0), None),
        Credential::Certificate(key) => (None, Some(key.to_string())),
    }
}

/// A new token in words. The name comes last, because it may have any characters.
pub(in crate::store) fn token_in_words(row: &TokenRow) -> String {
    let by = match (row.certificate, row.parent) {
        (Some(key), _) => format!("certificate key {key}"),
        (None, Some(SessionParent::Token(id))) => format!("a session of token {id}"),
        (None, Some(SessionParent::Terminal)) => "a session of the terminal".to_owned(),
        (None, None) => "its secret".to_owned(),
    };
    format!("{}; {}; by {by}; {}", row.scopes, end_in_words(row), row.name)
}

/// A new secret in words, and how many sessions ended with the one before.
pub(in crate::store) fn rotation_in_words(row: &TokenRow, sessions: usize) -> String {
    let previous = row.previous_until.as_ref().map_or("ended".to_owned(), |until| format!("until {until}"));
    format!("{}; the previous secret {previous}{}", end_in_words(row), ended_in_words(sessions))
}

/// A revocation in words, and how many sessions ended with it.
pub(in crate::store) fn revocation_in_words(sessions: usize) -> String {
    format!("revoked{}", ended_in_words(sessions))
}

fn ended_in_words(sessions: usize) -> String {
    match sessions {
        0 => String::new(),
        1 => "; one session ended".to_owned(),
        several => format!("; {several} sessions ended"),
    }
}

/// When a token ends.
pub(in crate::store) fn end_in_words(row: &TokenRow) -> String {
    row.expires_at.as_ref().map_or("never expires".to_owned(), |at| format!("expires {at}"))
}
