//! Sessions of the dashboard.

use std::time::Duration;

use signwave::{
    access::{Refusal, Token, authorize},
    domain::{AuditId, By, Scopes, SessionParent, TokenId, TokenState, Who},
    store::{
        AddSessionVerdict, NewSession, RotateTokenVerdict, Rotation, SessionOrigin, Store, StoreError,
        TokenRow,
    },
};
use support::{
    store::{MINUTE, by},
    tested_store::TestedStore,
    waiting::until,
};

use crate::access::{add, new_token, rotate};

const HOUR: Duration = Duration::from_secs(3600);
const NOW: Duration = Duration::ZERO;

fn new_session(secret: &Token, origin: SessionOrigin) -> NewSession {
    NewSession { id: secret.id(), secret: secret.hash(), origin, expires_in: 12 * HOUR, kept_for: HOUR }
}

fn try_sign_in(store: &dyn Store, token: &Token) -> Option<(Token, TokenRow)> {
    let secret = Token::issue();
    let session = new_session(&secret, SessionOrigin::Token(token.id(), token.hash()));
    match store.add_session(&session, &by()).unwrap() {
        AddSessionVerdict::Added(row) => Some((secret, *row)),
        AddSessionVerdict::NoSuchToken => None,
    }
}

fn sign_in(store: &dyn Store, token: &Token) -> Token {
    try_sign_in(store, token).unwrap().0
}

fn terminal(store: &dyn Store, expires_in: Duration, kept_for: Duration) -> Token {
    let (secret, scopes): (_, Scopes) = (Token::issue(), "read,admin".parse().unwrap());
    let origin = SessionOrigin::Terminal("terminal of ada".parse().unwrap(), scopes);
    let session = NewSession { expires_in, kept_for, ..new_session(&secret, origin) };
    assert!(matches!(store.add_session(&session, &by()), Ok(AddSessionVerdict::Added(_))));
    secret
}

fn row(store: &dyn Store, id: TokenId) -> TokenRow {
    store.token(id).unwrap().unwrap().row
}

fn check(store: &dyn Store, session: &Token) -> Result<Scopes, Refusal> {
    authorize(&store.token(session.id()).unwrap().unwrap(), session, NOW)
}

fn ids(rows: Vec<TokenRow>) -> Vec<TokenId> {
    rows.into_iter().map(|row| row.id).collect()
}

pub fn a_session_has_the_name_and_the_scopes_of_its_token_and_is_listed_apart(tested: &TestedStore) {
    let store = &*tested.store;
    let token = add(store);
    let (secret, added) = try_sign_in(store, &token).unwrap();
    assert_eq!((added.id, added.name.as_str()), (secret.id(), "ci"));
    assert_eq!(added.parent, Some(SessionParent::Token(token.id())));
    let found = row(store, secret.id());
    assert_eq!(found, TokenRow { remaining: found.remaining, ..added });
    assert_eq!(check(store, &secret), check(store, &token));
    let of_terminal = terminal(store, HOUR, HOUR);
    let found = row(store, of_terminal.id());
    assert_eq!((found.parent, found.name.as_str()), (Some(SessionParent::Terminal), "terminal of ada"));
    assert_eq!(check(store, &of_terminal), Ok("read,admin".parse().unwrap()));
    assert_eq!(ids(store.tokens(None, 9).unwrap()), [token.id()]);
    assert_eq!(row(store, token.id()).parent, None);
    let mut sessions = ids(store.sessions(None, 9).unwrap());
    let first = store.sessions(None, 1).unwrap().remove(0).id;
    assert_eq!((sessions[0], ids(store.sessions(Some(first), 9).unwrap())), (first, sessions[1..].to_vec()));
    assert!(store.sessions(Some(Token::issue().id()), 9).unwrap().is_empty());
    sessions.sort();
    let mut expected = [secret.id(), of_terminal.id()];
    expected.sort();
    assert_eq!(sessions, expected);
    // Its use is noted as that of any token.
    assert_eq!(store.note_use(secret.id(), HOUR), Ok(true));
}

pub fn a_session_needs_a_token_that_can_be_used_and_never_outlives_it(tested: &TestedStore) {
    let store = &*tested.store;
    let (hour, over, revoked) = (Token::issue(), Token::issue(), add(store));
    store.add_token(&new_token(&hour, Some(HOUR)), &by()).unwrap();
    store.add_token(&new_token(&over, Some(NOW)), &by()).unwrap();
    store.revoke_token(revoked.id(), &by()).unwrap();
    let (session, added) = try_sign_in(store, &hour).unwrap();
    assert!(added.expires_at <= row(store, hour.id()).expires_at, "{added:?}");
    assert!(added.remaining.unwrap() > HOUR - MINUTE);
    let long = try_sign_in(store, &add(store)).unwrap().1.remaining.unwrap();
    assert!(long <= 12 * HOUR && long > 12 * HOUR - MINUTE, "{long:?}");
    let rows = store.audit_log(AuditId(0), 99).unwrap().len();
    for refused in [&over, &revoked, &session, &Token::issue(), &Token::with_new_secret(hour.id())] {
        assert!(try_sign_in(store, refused).is_none(), "{refused:?}");
    }
    assert_eq!(store.audit_log(AuditId(0), 99).unwrap().len(), rows);
    // The secret before a rotation signs in, too, for as long as it can be used.
    let new = rotate(store, hour.id(), Some(HOUR / 2), Some(24 * HOUR));
    let previous = try_sign_in(store, &hour).unwrap().1;
    assert!(previous.remaining.unwrap() <= HOUR / 2, "{previous:?}");
    assert!(try_sign_in(store, &new).unwrap().1.remaining.unwrap() > HOUR);
    rotate(store, hour.id(), None, None);
    assert!(try_sign_in(store, &new).is_none() && try_sign_in(store, &hour).is_none());
}

pub fn the_sessions_of_a_token_end_with_it_and_others_do_not(tested: &TestedStore) {
    let store = &*tested.store;
    let (token, other) = (add(store), add(store));
    let (first, second, kept) = (sign_in(store, &token), sign_in(store, &token), sign_in(store, &other));
    let of_terminal = terminal(store, HOUR, HOUR);
    store.revoke_token(token.id(), &by()).unwrap();
    for ended in [&first, &second] {
        assert_eq!(check(store, ended), Err(Refusal::Revoked));
    }
    assert!(check(store, &kept).is_ok() && check(store, &of_terminal).is_ok());
    // A session is revoked as a token is, alone.
    store.revoke_token(kept.id(), &by()).unwrap();
    assert_eq!((check(store, &kept), check(store, &other).is_ok()), (Err(Refusal::Revoked), true));
}

pub fn a_rotation_ends_the_sessions_that_would_outlive_the_secret_before(tested: &TestedStore) {
    let store = &*tested.store;
    let token = add(store);
    let of_first = sign_in(store, &token);
    // The overlap covers it.
    let second = rotate(store, token.id(), Some(24 * HOUR), None);
    assert!(check(store, &of_first).is_ok());
    let of_second = sign_in(store, &second);
    // The first secret ends at once, and nobody knows which of the two made a session.
    let third = rotate(store, token.id(), Some(24 * HOUR), None);
    assert_eq!(
        (check(store, &of_first), check(store, &of_second)),
        (Err(Refusal::Revoked), Err(Refusal::Revoked))
    );
    let of_third = sign_in(store, &third);
    rotate(store, token.id(), None, None);
    assert_eq!(check(store, &of_third), Err(Refusal::Revoked), "no overlap");
    for (overlap, life) in [(HOUR, None), (24 * HOUR, Some(HOUR))] {
        let token = add(store);
        let session = sign_in(store, &token);
        rotate(store, token.id(), Some(overlap), life);
        assert_eq!(check(store, &session), Err(Refusal::Revoked), "{overlap:?} {life:?}");
    }
}

pub fn a_session_is_ended_once_and_never_rotated(tested: &TestedStore) {
    let store = &*tested.store;
    let token = add(store);
    let session = sign_in(store, &token);
    let rotation = Rotation { secret: Token::issue().hash(), overlap: None, expires_in: None };
    assert_eq!(store.rotate_token(session.id(), &rotation, &by()), Ok(RotateTokenVerdict::IsSession));
    assert!(check(store, &session).is_ok());
    assert_eq!(store.end_session(token.id(), &by()), Ok(false), "it is no session");
    assert_eq!(store.end_session(Token::issue().id(), &by()), Ok(false));
    assert_eq!(store.end_session(session.id(), &by()), Ok(true));
    assert_eq!(row(store, session.id()).state(NOW), TokenState::Revoked);
    assert_eq!(store.end_session(session.id(), &by()), Ok(false));
    assert!(check(store, &token).is_ok());
    let taken =
        new_session(&Token::with_new_secret(session.id()), SessionOrigin::Token(token.id(), token.hash()));
    assert!(matches!(store.add_session(&taken, &by()), Err(StoreError::Refused(_))));
}

pub fn signing_in_and_out_are_rows_of_the_audit_log(tested: &TestedStore) {
    let store = &*tested.store;
    let token = add(store);
    let first = sign_in(store, &token);
    store.end_session(first.id(), &by()).unwrap();
    let second = sign_in(store, &token);
    store.revoke_token(token.id(), &by()).unwrap();
    let rows = store.audit_log(AuditId(1), 99).unwrap();
    let seen: Vec<_> = rows.iter().map(|row| (row.action.as_str(), row.object.as_str())).collect();
    let expected = [
        ("session.add", first.id()),
        ("session.end", first.id()),
        ("session.add", second.id()),
        ("token.revoke", token.id()),
    ];
    assert_eq!(seen, expected.each_ref().map(|(action, id)| (*action, id.as_str())));
    // What cannot be logged is not done.
    let nobody = By::without_request(Who::CommandLine(String::new()));
    let token = add(store);
    let session = sign_in(store, &token);
    let another = Token::issue();
    let new = new_session(&another, SessionOrigin::Token(token.id(), token.hash()));
    assert!(matches!(store.add_session(&new, &nobody), Err(StoreError::Refused(_))));
    assert!(store.token(another.id()).unwrap().is_none());
    assert!(matches!(store.end_session(session.id(), &nobody), Err(StoreError::Refused(_))));
    assert!(matches!(store.revoke_token(token.id(), &nobody), Err(StoreError::Refused(_))));
    assert!(check(store, &session).is_ok());
}

pub fn sessions_are_forgotten_when_they_have_long_been_over(tested: &TestedStore) {
    let store = &*tested.store;
    let token = Token::issue();
    store.add_token(&new_token(&token, Some(NOW)), &by()).unwrap();
    let (over, ended, lasting) =
        (terminal(store, NOW, HOUR), terminal(store, HOUR, HOUR), terminal(store, HOUR, HOUR));
    store.end_session(ended.id(), &by()).unwrap();
    let is_there = |session: &Token| store.token(session.id()).unwrap().is_some();
    until("its time is over", MINUTE, || {
        tested.let_time_pass(Duration::from_millis(1));
        terminal(store, HOUR, HOUR);
        assert!(is_there(&over), "it is kept for an hour");
        terminal(store, HOUR, NOW);
        !is_there(&over)
    });
    assert!(is_there(&ended) && is_there(&lasting), "their time is not over");
    assert!(is_there(&token), "a token is never forgotten");
}
