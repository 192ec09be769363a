//! Tokens of the API.

use std::time::Duration;

use signwave::{
    access::{Refusal, Token, authorize, authorize_certificate, new_token_id},
    domain::{Fingerprint, Scopes, TokenId, TokenState},
    store::{
        AddTokenVerdict, Credential, NewToken, RevokeTokenVerdict, RotateTokenVerdict, Rotation, Store,
        StoreError, TokenRow,
    },
};
use support::{
    store::{MINUTE, by},
    tested_store::TestedStore,
    waiting::until,
};

const HOUR: Duration = Duration::from_secs(3600);
const NOW: Duration = Duration::ZERO;

pub fn new_token(token: &Token, expires_in: Option<Duration>) -> NewToken {
    NewToken {
        id: token.id(),
        name: "ci".parse().unwrap(),
        scopes: scopes(),
        credential: Credential::Secret(token.hash()),
        expires_in,
    }
}

fn scopes() -> Scopes {
    "submit,read".parse().unwrap()
}

/// Adds a token that does not end.
pub fn add(store: &dyn Store) -> Token {
    let token = Token::issue();
    assert!(matches!(store.add_token(&new_token(&token, None), &by()), Ok(AddTokenVerdict::Added(_))));
    token
}

fn add_certificate(store: &dyn Store, key: Fingerprint) -> AddTokenVerdict {
    let credential = Credential::Certificate(key);
    let token = NewToken { id: new_token_id(), credential, ..new_token(&Token::issue(), None) };
    store.add_token(&token, &by()).unwrap()
}

pub fn rotate(store: &dyn Store, id: TokenId, overlap: Option<Duration>, life: Option<Duration>) -> Token {
    let token = Token::with_new_secret(id);
    let rotation = Rotation { secret: token.hash(), overlap, expires_in: life };
    assert!(matches!(store.rotate_token(id, &rotation, &by()), Ok(RotateTokenVerdict::Rotated(_))));
    token
}

/// What the store has of a token decides, `age` after it was read.
fn check(store: &dyn Store, token: &Token, age: Duration) -> Result<Scopes, Refusal> {
    authorize(&store.token(token.id()).unwrap().unwrap(), token, age)
}

fn row(store: &dyn Store, id: TokenId) -> TokenRow {
    store.token(id).unwrap().unwrap().row
}

pub fn a_token_is_stored_as_a_hash_and_shown_without_it(tested: &TestedStore) {
    let store = &*tested.store;
    let token = Token::issue();
    let verdict = store.add_token(&new_token(&token, None), &by()).unwrap();
    let AddTokenVerdict::Added(added) = verdict else { panic!("{verdict:?}") };
    let added = *added;
    assert_eq!((added.id, added.name.as_str(), added.scopes), (token.id(), "ci", scopes()));
    assert_eq!((&added.expires_at, added.remaining, &added.revoked_at), (&None, None, &None));
    assert_eq!((&added.last_used_at, &added.previous_until, added.certificate), (&None, &None, None));
    assert!(added.created_at.ends_with('Z') && added.created_at.len() == 24, "{added:?}");
    assert_eq!(store.tokens(None, 9).unwrap(), std::slice::from_ref(&added));
    let stored = store.token(token.id()).unwrap().unwrap();
    assert_eq!((stored.row, stored.secret.unwrap().0), (added, token.hash().0));
    assert!(stored.previous.is_none());
    assert_eq!(check(store, &token, NOW), Ok(scopes()));
    assert_eq!(check(store, &Token::with_new_secret(token.id()), NOW), Err(Refusal::Wrong));
    assert!(store.token(Token::issue().id()).unwrap().is_none());
}

pub fn an_id_is_taken_for_ever(tested: &TestedStore) {
    let store = &*tested.store;
    let token = add(store);
    let again =
        NewToken { name: "other".parse().unwrap(), ..new_token(&Token::with_new_secret(token.id()), None) };
    for _ in ["in use", "revoked"] {
        assert!(matches!(store.add_token(&again, &by()), Err(StoreError::Refused(_))));
        store.revoke_token(token.id(), &by()).unwrap();
    }
    assert_eq!(row(store, token.id()).name, "ci");
}

pub fn tokens_are_listed_in_pages_in_the_order_in_which_they_were_added(tested: &TestedStore) {
    let store = &*tested.store;
    let mut added: Vec<TokenId> = Vec::new();
    for _ in 0..7 {
        added.push(add(store).id());
        // Of two that were added within the same millisecond the lower id comes first.
        until("another millisecond", MINUTE, || {
            let probe = row(&*tested.store, *added.last().unwrap()).created_at;
            tested.let_time_pass(Duration::from_millis(1));
            probe < now(tested)
        });
    }
    let ids = |after, limit| -> Vec<TokenId> {
        store.tokens(after, limit).unwrap().into_iter().map(|token| token.id).collect()
    };
    assert_eq!(ids(None, 99), added);
    assert_eq!(ids(None, 3), added[..3]);
    assert_eq!(ids(Some(added[2]), 3), added[3..6]);
    assert!(ids(Some(added[6]), 3).is_empty());
    assert!(ids(Some(Token::issue().id()), 3).is_empty(), "behind a token that is not there");
    assert!(ids(None, 0).is_empty());
}

/// The time by the database's clock.
fn now(tested: &TestedStore) -> String {
    let store = &*tested.store;
    let key = support::store::new_key(store.keys().unwrap().len() as u8);
    store.add_key(&key, &by()).unwrap();
    store.keys().unwrap().pop().unwrap().created_at
}

pub fn a_token_ends_when_its_time_is_over_and_without_one_never(tested: &TestedStore) {
    let store = &*tested.store;
    let (endless, hour, over) = (add(store), Token::issue(), Token::issue());
    store.add_token(&new_token(&hour, Some(HOUR)), &by()).unwrap();
    store.add_token(&new_token(&over, Some(NOW)), &by()).unwrap();
    assert_eq!(check(store, &endless, HOUR * 1_000_000), Ok(scopes()));
    let found = row(store, hour.id());
    let remaining = found.remaining.unwrap();
    assert!(remaining <= HOUR && remaining > HOUR - MINUTE, "{remaining:?}");
    assert!(found.expires_at.unwrap() > found.created_at);
    assert_eq!(check(store, &hour, NOW), Ok(scopes()));
    assert_eq!(check(store, &hour, HOUR), Err(Refusal::Expired));
    assert_eq!(check(store, &over, NOW), Err(Refusal::Expired));
    assert_eq!(row(store, over.id()).state(NOW), TokenState::Expired);
    // More than ten years are ten years, and never none.
    let long = Token::issue();
    store.add_token(&new_token(&long, Some(Duration::MAX)), &by()).unwrap();
    let remaining = row(store, long.id()).remaining.unwrap();
    assert!(remaining > HOUR * 24 * 3650, "{remaining:?}");
}

pub fn a_rotation_leaves_the_secret_before_valid_for_the_overlap(tested: &TestedStore) {
    let store = &*tested.store;
    let old = add(store);
    let new = rotate(store, old.id(), Some(HOUR), Some(HOUR * 24));
    for token in [&old, &new] {
        assert_eq!(check(store, token, NOW), Ok(scopes()));
    }
    assert_eq!(check(store, &old, HOUR), Err(Refusal::Replaced));
    assert_eq!(check(store, &new, HOUR), Ok(scopes()));
    assert_eq!(check(store, &new, HOUR * 24), Err(Refusal::Expired));
    let found = row(store, old.id());
    assert!(found.previous_until.unwrap() < found.expires_at.unwrap());
    // Without an overlap it ends at once.
    let newest = rotate(store, old.id(), None, None);
    assert_eq!(check(store, &new, NOW), Err(Refusal::Wrong));
    assert_eq!(check(store, &newest, HOUR * 1_000_000), Ok(scopes()));
    assert_eq!(row(store, old.id()).previous_until, None);
    let unknown = Token::issue();
    let rotation = Rotation { secret: unknown.hash(), overlap: None, expires_in: None };
    assert_eq!(store.rotate_token(unknown.id(), &rotation, &by()), Ok(RotateTokenVerdict::NoSuchToken));
}

pub fn a_rotation_never_gives_the_secret_before_more_time_than_it_had(tested: &TestedStore) {
    let store = &*tested.store;
    let (hour, over) = (Token::issue(), Token::issue());
    store.add_token(&new_token(&hour, Some(HOUR)), &by()).unwrap();
    store.add_token(&new_token(&over, Some(NOW)), &by()).unwrap();
    rotate(store, hour.id(), Some(HOUR * 24), None);
    assert_eq!(check(store, &hour, HOUR - MINUTE), Ok(scopes()));
    assert_eq!(check(store, &hour, HOUR), Err(Refusal::Replaced));
    // An expired token has time again, but not by its secret before.
    let new = rotate(store, over.id(), Some(HOUR), Some(HOUR));
    assert_eq!(check(store, &new, NOW), Ok(scopes()));
    assert_eq!(check(store, &over, NOW), Err(Refusal::Replaced));
}

pub fn a_second_rotation_ends_the_first_secret(tested: &TestedStore) {
    let store = &*tested.store;
    let first = add(store);
    let second = rotate(store, first.id(), Some(HOUR), None);
    let third = rotate(store, first.id(), Some(HOUR), None);
    assert_eq!(check(store, &first, NOW), Err(Refusal::Wrong));
    assert_eq!((check(store, &second, NOW), check(store, &third, NOW)), (Ok(scopes()), Ok(scopes())));
}

pub fn a_revocation_is_final(tested: &TestedStore) {
    let store = &*tested.store;
    let old = add(store);
    let new = rotate(store, old.id(), Some(HOUR), None);
    let id = old.id();
    assert_eq!(store.revoke_token(id, &by()), Ok(RevokeTokenVerdict::Revoked));
    let revoked = row(store, id);
    assert_eq!((revoked.state(NOW), revoked.revoked_at.is_some()), (TokenState::Revoked, true));
    for token in [&old, &new] {
        assert_eq!(check(store, token, NOW), Err(Refusal::Revoked));
    }
    assert_eq!(store.revoke_token(id, &by()), Ok(RevokeTokenVerdict::WasRevoked));
    let rotation = Rotation { secret: old.hash(), overlap: None, expires_in: None };
    assert_eq!(store.rotate_token(id, &rotation, &by()), Ok(RotateTokenVerdict::IsRevoked));
    assert_eq!(store.note_use(id, NOW), Ok(false));
    assert_eq!(row(store, id), revoked);
    assert_eq!(store.revoke_token(Token::issue().id(), &by()), Ok(RevokeTokenVerdict::NoSuchToken));
}

pub fn a_certificate_stands_for_one_token_at_a_time(tested: &TestedStore) {
    let store = &*tested.store;
    let (key, other) = (Fingerprint([7; 32]), Fingerprint([8; 32]));
    assert_eq!(store.token_of_certificate(key), Ok(None));
    let AddTokenVerdict::Added(first) = add_certificate(store, key) else { panic!("it is free") };
    assert_eq!(add_certificate(store, key), AddTokenVerdict::CertificateTaken(first.id));
    assert!(matches!(add_certificate(store, other), AddTokenVerdict::Added(_)));
    let found = store.token_of_certificate(key).unwrap().unwrap();
    assert_eq!((&found, found.certificate), (&*first, Some(key)));
    assert_eq!(authorize_certificate(&found, NOW), Ok(scopes()));
    // It has no secret, and gets none.
    assert!(store.token(first.id).unwrap().unwrap().secret.is_none());
    let rotation = Rotation { secret: Token::issue().hash(), overlap: None, expires_in: None };
    assert_eq!(store.rotate_token(first.id, &rotation, &by()), Ok(RotateTokenVerdict::HasCertificate));
    store.revoke_token(first.id, &by()).unwrap();
    assert_eq!(store.token_of_certificate(key), Ok(None));
    let AddTokenVerdict::Added(second) = add_certificate(store, key) else { panic!("it is free again") };
    assert_eq!(store.token_of_certificate(key).unwrap().unwrap().id, second.id);
}

pub fn the_use_of_a_token_is_noted_no_more_often_than_asked(tested: &TestedStore) {
    let store = &*tested.store;
    let id = add(store).id();
    assert_eq!(row(store, id).last_used_at, None);
    assert_eq!(store.note_use(id, HOUR), Ok(true));
    let first = row(store, id).last_used_at.unwrap();
    assert_eq!(store.note_use(id, HOUR), Ok(false));
    assert_eq!(row(store, id).last_used_at.as_ref(), Some(&first));
    until("a later use is noted", MINUTE, || {
        tested.let_time_pass(Duration::from_millis(1));
        store.note_use(id, NOW).unwrap() && row(store, id).last_used_at.unwrap() > first
    });
    assert_eq!(store.note_use(Token::issue().id(), NOW), Ok(false));
    assert_eq!(store.audit_log(signwave::domain::AuditId(0), 9).unwrap().len(), 1, "a use is no change");
}
