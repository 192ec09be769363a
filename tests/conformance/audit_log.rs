//! The log of what was changed.

use std::{thread, time::Duration};

use signwave::{
    access::Token,
    domain::{AuditId, By, KeyId, KeyState, NodeId, Place, Refusal, RefusedId, Who},
    store::{
        Arrival, AuditRow, Credential, NewToken, Reseal, ResetTo, RetryName, Rotation, Store, StoreError,
    },
};
use support::{
    store::{add_keys, by, new_key},
    tested_store::TestedStore,
};

use crate::access::{add, new_token, rotate};

fn log(store: &dyn Store) -> Vec<AuditRow> {
    store.audit_log(AuditId(0), 1000).unwrap()
}

pub fn every_change_has_its_row_and_what_changes_nothing_has_none(tested: &TestedStore) {
    let store = &*tested.store;
    store.add_key(&new_key(7), &by()).unwrap();
    store.add_key(&new_key(7), &by()).unwrap();
    let set = |key, state, reason| store.set_key_state(KeyId(key), state, reason, &by()).unwrap();
    set(1, KeyState::Disabled, Some("on holiday"));
    set(1, KeyState::Retired, None);
    set(1, KeyState::Active, None);
    set(9, KeyState::Active, None);
    let token = add(store);
    rotate(store, token.id(), None, None);
    let again = Rotation { secret: token.hash(), overlap: None, expires_in: None };
    for _ in 0..2 {
        store.revoke_token(token.id(), &by()).unwrap();
        store.rotate_token(token.id(), &again, &by()).unwrap();
    }
    let (key, token) = (new_key(7).fingerprint.to_string(), token.id().to_string());
    let rows = log(store);
    let seen: Vec<_> = rows.iter().map(|row| (row.action.as_str(), row.object.as_str())).collect();
    let expected = [
        ("key.add", &*key),
        ("key.state", &*key),
        ("key.state", &*key),
        ("token.add", &*token),
        ("token.rotate", &*token),
        ("token.revoke", &*token),
    ];
    assert_eq!(seen, expected);
    assert!((1..).zip(&rows).all(|(number, row)| row.id == AuditId(number) && row.at.ends_with('Z')));
    let change = |row: &AuditRow| (row.before.clone(), row.after.clone());
    let change_to = |before: &str, after: &str| (Some(before.to_owned()), Some(after.to_owned()));
    assert_eq!(change(&rows[1]), change_to("active", "disabled: on holiday"));
    assert_eq!(change(&rows[2]), change_to("disabled", "retired"));
    assert!(rows[3].after.as_ref().unwrap().ends_with("; ci") && rows[3].before.is_none());
}

pub fn the_log_says_who_and_from_where(tested: &TestedStore) {
    let store = &*tested.store;
    let id = Token::issue().id();
    let client = By {
        who: Who::Token(id),
        address: Some("[2001:db8::1]:443".to_owned()),
        request: Some("01K-x".to_owned()),
    };
    let node = By::without_request(Who::Node("host-7 (\u{e9})".to_owned()));
    store.add_key(&new_key(1), &client).unwrap();
    store.set_key_state(KeyId(1), KeyState::Suspended, Some("it fails"), &node).unwrap();
    store.add_token(&new_token(&Token::issue(), None), &client).unwrap();
    let rows = log(store);
    assert_eq!(rows.iter().map(|row| &row.who).collect::<Vec<_>>(), [&client.who, &node.who, &client.who]);
    for (row, by) in rows.iter().zip([&client, &node, &client]) {
        assert_eq!((&row.address, &row.request_id), (&by.address, &by.request));
    }
}

pub fn the_log_is_read_in_pages(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 7);
    let ids = |after, limit| -> Vec<i64> {
        store.audit_log(AuditId(after), limit).unwrap().into_iter().map(|row| row.id.0).collect()
    };
    assert_eq!(ids(0, 3), [1, 2, 3]);
    assert_eq!(ids(3, 3), [4, 5, 6]);
    assert_eq!(ids(6, 3), [7]);
    assert_eq!(ids(7, 3), Vec::<i64>::new());
    assert_eq!((ids(-5, 9).len(), ids(0, 0).len()), (7, 0));
}

/// The schema refuses a row that names nobody.
pub fn a_change_that_cannot_be_logged_is_not_made(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 1);
    let token = add(store);
    store.claim_outlet("queue", NodeId(1), Duration::ZERO, Place(0)).unwrap();
    let refusal = Some((Refusal::NoExternalId, "no name"));
    let arrival = Arrival { external_id: None, payload: b"1", size: 1, digest: [7; 32], refusal };
    store.insert_arrivals("queue", &[arrival]).unwrap();
    let others =
        || (store.outlets().unwrap(), store.refused(RefusedId(0), 9).unwrap(), store.counts().unwrap());
    let (refused, others_before) = (store.refused(RefusedId(0), 9).unwrap()[0].id, others());
    let before = (store.keys().unwrap(), store.tokens(None, 9).unwrap(), log(store));
    let nobody = By::without_request(Who::CommandLine(String::new()));
    let rotation = Rotation { secret: Token::issue().hash(), overlap: None, expires_in: None };
    let refusals = [
        store.add_key(&new_key(9), &nobody).err(),
        store.set_key_state(KeyId(1), KeyState::Disabled, None, &nobody).err(),
        store.reseal_keys("abc", &mut |_, _| Reseal::Replace(vec![0]), &nobody).err(),
        store.add_token(&new_token(&Token::issue(), None), &nobody).err(),
        store.rotate_token(token.id(), &rotation, &nobody).err(),
        store.revoke_token(token.id(), &nobody).err(),
        store.reset_outlet("queue", ResetTo::End, &nobody).err(),
        store.retry_refused(refused, RetryName::Without, &nobody).err(),
        store.drop_refused(refused, &nobody).err(),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, Some(StoreError::Refused(_))), "{refusal:?}");
    }
    assert_eq!((store.keys().unwrap(), store.tokens(None, 9).unwrap(), log(store)), before);
    assert_eq!(others(), others_before);
    assert_eq!(store.stored_key(KeyId(1)).unwrap().unwrap().material, new_key(1).material);
    let stored = store.token(token.id()).unwrap().unwrap();
    assert_eq!(stored.secret.unwrap().0, token.hash().0);
}

pub fn no_hash_of_a_secret_is_in_the_log(tested: &TestedStore) {
    let store = &*tested.store;
    let token = add(store);
    let second = rotate(store, token.id(), None, None);
    let other = Token::issue();
    let certificate = Credential::Certificate(new_key(3).fingerprint);
    store.add_token(&NewToken { credential: certificate, ..new_token(&other, None) }, &by()).unwrap();
    let shown = format!("{:?} {:?} {:?}", log(store), store.tokens(None, 9), store.token(token.id()));
    for secret in [&token, &second, &other] {
        let (hash, text) = (data_encoding::HEXLOWER.encode(&secret.hash().0), secret.text());
        assert!(!shown.contains(&hash[..12]) && !shown.contains(&text[15..30]), "{shown}");
    }
    assert!(shown.contains(&new_key(3).fingerprint.to_string()), "{shown}");
}

pub fn changes_at_the_same_time_are_numbered_without_gaps(tested: &TestedStore) {
    const THREADS: u8 = 4;
    const EACH: u8 = 6;
    let stores: Vec<_> = (0..THREADS).map(|_| tested.other()).collect();
    let read = tested.other();
    thread::scope(|scope| {
        let writers: Vec<_> = (0..THREADS)
            .zip(&stores)
            .map(|(thread, store)| {
                scope.spawn(move || {
                    for number in 0..EACH {
                        store.add_key(&new_key(thread * EACH + number), &by()).unwrap();
                        add(&**store);
                    }
                })
            })
            .collect();
        // A reader who goes on behind what it has read misses nothing.
        let (mut seen, mut after) = (0, AuditId(0));
        while seen < usize::from(2 * THREADS * EACH) {
            for row in read.audit_log(after, 5).unwrap() {
                assert_eq!(row.id.0, after.0 + 1);
                after = row.id;
                seen += 1;
            }
            if writers.iter().all(|writer| writer.is_finished()) {
                assert!(read.audit_log(AuditId(0), 1000).unwrap().len() == usize::from(2 * THREADS * EACH));
            }
        }
    });
}
