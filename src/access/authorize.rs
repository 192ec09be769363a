//! What a client may do, decided by the row of its token alone: no clock, no database.

use std::time::Duration;

use super::Token;
use crate::{
    domain::{Scopes, TokenState},
    signer::is_same_secret,
    store::{StoredToken, TokenRow},
};

/// Why a client may do nothing. Only a client that has the right secret is told more than [`Wrong`](Self::Wrong).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The secret is not that of the token.
    #[error("the token is not valid")]
    Wrong,
    /// The secret was replaced by a rotation, and the time in which both were valid is over.
    #[error("the token was replaced by a rotation: use the new one")]
    Replaced,
    /// Its time is over.
    #[error("the token has expired: rotate it, or make another one")]
    Expired,
    /// It was revoked.
    #[error("the token was revoked: make another one")]
    Revoked,
}

/// What the client may do that sent `token`. `age` is how long ago `stored`, the row of that id, was read: times are those
/// of the database's clock, so a row that is kept for a while is still right about its end.
///
/// Secrets are compared in constant time, and always both.
///
/// # Errors
/// Why the client may do nothing.
pub fn authorize(stored: &StoredToken, token: &Token, age: Duration) -> Result<Scopes, Refusal> {
    let given = token.hash();
    let is_current = stored.secret.is_some_and(|hash| is_same_secret(&hash.0, &given.0));
    let previous = stored.previous.filter(|(hash, _)| is_same_secret(&hash.0, &given.0));
    if stored.row.id != token.id() {
        return Err(Refusal::Wrong);
    }
    match (is_current, previous) {
        (true, _) => in_force(&stored.row, age),
        (false, None) => Err(Refusal::Wrong),
        (false, Some((_, remaining))) => match in_force(&stored.row, age) {
            Ok(_) if remaining <= age => Err(Refusal::Replaced),
            result => result,
        },
    }
}

/// What the client may do that has proven, by TLS, to have the key of the certificate that `row` names.
///
/// # Errors
/// Why the client may do nothing.
pub fn authorize_certificate(row: &TokenRow, age: Duration) -> Result<Scopes, Refusal> {
    if row.certificate.is_some() { in_force(row, age) } else { Err(Refusal::Wrong) }
}

fn in_force(row: &TokenRow, age: Duration) -> Result<Scopes, Refusal> {
    match row.state(age) {
        TokenState::Active => Ok(row.scopes),
        TokenState::Expired => Err(Refusal::Expired),
        TokenState::Revoked => Err(Refusal::Revoked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Fingerprint;

    const HOUR: Duration = Duration::from_secs(3600);
    const NOW: Duration = Duration::ZERO;

    fn stored(token: &Token) -> StoredToken {
        let row = TokenRow {
            id: token.id(),
            name: "ci".to_owned(),
            scopes: "submit,read".parse().unwrap(),
            certificate: None,
            created_at: "2026-11-26T00:00:00.000Z".to_owned(),
            expires_at: None,
            remaining: None,
            previous_until: None,
            revoked_at: None,
            last_used_at: None,
            parent: None,
        };
        StoredToken { row, secret: Some(token.hash()), previous: None }
    }

    #[test]
    fn the_right_secret_has_the_scopes_and_any_other_has_none() {
        let token = Token::issue();
        let stored = stored(&token);
        assert_eq!(authorize(&stored, &token, HOUR), Ok(stored.row.scopes));
        assert_eq!(authorize(&stored, &Token::with_new_secret(token.id()), NOW), Err(Refusal::Wrong));
        assert_eq!(authorize(&stored, &Token::issue(), NOW), Err(Refusal::Wrong));
    }

    #[test]
    fn the_row_of_another_token_is_wrong_even_with_the_same_secret() {
        let token = Token::issue();
        let mut stored = stored(&token);
        stored.row.id = Token::issue().id();
        assert_eq!(authorize(&stored, &token, NOW), Err(Refusal::Wrong));
    }

    #[test]
    fn an_expired_token_is_refused_also_when_its_row_was_read_before() {
        let token = Token::issue();
        let mut stored = stored(&token);
        stored.row.remaining = Some(HOUR);
        assert!(authorize(&stored, &token, NOW).is_ok());
        assert!(authorize(&stored, &token, HOUR - Duration::from_millis(1)).is_ok());
        assert_eq!(authorize(&stored, &token, HOUR), Err(Refusal::Expired));
        stored.row.remaining = Some(NOW);
        assert_eq!(authorize(&stored, &token, NOW), Err(Refusal::Expired));
    }

    #[test]
    fn after_a_rotation_both_secrets_are_valid_for_a_while() {
        let old = Token::issue();
        let new = Token::with_new_secret(old.id());
        let rotated = StoredToken { previous: Some((old.hash(), HOUR)), ..stored(&new) };
        for age in [NOW, HOUR, HOUR * 2] {
            assert!(authorize(&rotated, &new, age).is_ok());
            let expected = if age < HOUR { Ok(rotated.row.scopes) } else { Err(Refusal::Replaced) };
            assert_eq!(authorize(&rotated, &old, age), expected);
        }
        let at_once = StoredToken { previous: None, ..rotated };
        assert_eq!(authorize(&at_once, &old, NOW), Err(Refusal::Wrong));
    }

    #[test]
    fn a_revoked_token_is_refused_with_each_of_its_secrets() {
        let old = Token::issue();
        let new = Token::with_new_secret(old.id());
        let mut revoked = StoredToken { previous: Some((old.hash(), HOUR)), ..stored(&new) };
        revoked.row.revoked_at = Some("2026-11-26T01:00:00.000Z".to_owned());
        revoked.row.remaining = Some(NOW);
        for token in [&old, &new] {
            assert_eq!(authorize(&revoked, token, NOW), Err(Refusal::Revoked));
        }
        assert_eq!(authorize(&revoked, &Token::issue(), NOW), Err(Refusal::Wrong), "a guess is told nothing");
    }

    #[test]
    fn a_token_that_a_certificate_stands_for_has_no_secret_that_opens_it() {
        let token = Token::issue();
        let with_secret = stored(&token);
        assert_eq!(authorize_certificate(&with_secret.row, NOW), Err(Refusal::Wrong));
        let mut stored = StoredToken { secret: None, ..with_secret };
        stored.row.certificate = Some(Fingerprint([7; 32]));
        assert_eq!(authorize(&stored, &token, NOW), Err(Refusal::Wrong));
        assert_eq!(authorize_certificate(&stored.row, NOW), Ok(stored.row.scopes));
        stored.row.remaining = Some(HOUR);
        assert_eq!(authorize_certificate(&stored.row, HOUR), Err(Refusal::Expired));
    }
}
