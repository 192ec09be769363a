//! The key pool.

use signwave::{
    domain::{KeyId, KeyMaterial, KeyState},
    store::{AddKeyVerdict, KeyStateVerdict, KeysByState, NewKey},
};
use support::{
    store::{add_keys, add_records, by, lease, new_key, open_all, register},
    tested_store::TestedStore,
};

pub fn a_key_is_added_once(tested: &TestedStore) {
    let store = &*tested.store;
    assert_eq!(store.add_key(&new_key(7), &by()).unwrap(), AddKeyVerdict::Added(KeyId(1)));
    assert_eq!(store.add_key(&new_key(8), &by()).unwrap(), AddKeyVerdict::Added(KeyId(2)));
    assert_eq!(store.add_key(&new_key(7), &by()).unwrap(), AddKeyVerdict::AlreadyThere(KeyId(1)));
    let keys = store.keys().unwrap();
    assert_eq!(
        keys.iter().map(|key| key.fingerprint).collect::<Vec<_>>(),
        [7, 8].map(|n| new_key(n).fingerprint)
    );
    assert_eq!(
        [1, 2, 3].map(|id| store.key(KeyId(id)).unwrap()),
        [Some(keys[0].clone()), Some(keys[1].clone()), None]
    );
    let key = &keys[0];
    assert_eq!((key.bits, key.state, key.last_leased, key.signature_count), (2048, KeyState::Active, 0, 0));
    assert_eq!((&key.public_key, &key.state_reason, key.leased_batch), (&new_key(7).public_key, &None, None));
}

pub fn key_states_follow_the_rule_and_retired_is_final(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 4);
    for (from, key) in KeyState::ALL.into_iter().zip((1..).map(KeyId)) {
        let set = |state| store.set_key_state(key, state, Some("because"), &by()).unwrap();
        assert_eq!(set(from), KeyStateVerdict::Changed(KeyState::Active));
        for next in KeyState::ALL {
            if from.may_become(next) && next != KeyState::Retired {
                assert_eq!(set(next), KeyStateVerdict::Changed(from));
                assert_eq!(set(from), KeyStateVerdict::Changed(next));
            } else if !from.may_become(next) {
                assert_eq!(set(next), KeyStateVerdict::Refused(from));
            }
        }
    }
    let keys = store.keys().unwrap();
    assert_eq!(keys.iter().map(|key| key.state).collect::<Vec<_>>(), KeyState::ALL);
    assert!(keys.iter().all(|key| key.state_reason.as_deref() == Some("because")));
    assert_eq!(
        store.status().unwrap().keys,
        KeysByState { active: 1, disabled: 1, retired: 1, suspended: 1 }
    );
    store.set_key_state(KeyId(2), KeyState::Active, None, &by()).unwrap();
    assert_eq!(store.keys().unwrap()[1].state_reason, None);
    let unknown = store.set_key_state(KeyId(9), KeyState::Active, None, &by()).unwrap();
    assert_eq!(unknown, KeyStateVerdict::NoSuchKey);
}

pub fn only_active_keys_are_leased(tested: &TestedStore) {
    let store = &*tested.store;
    for (state, key) in KeyState::ALL.into_iter().zip(add_keys(store, 4)) {
        store.set_key_state(key, state, None, &by()).unwrap();
    }
    add_records(store, 4);
    open_all(store, 1);
    let leases = lease(store, register(store), 9);
    assert_eq!(leases.iter().map(|lease| lease.key()).collect::<Vec<_>>(), [KeyId(1)]);
}

pub fn a_stored_key_comes_back_as_it_was(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 2);
    let key = store.stored_key(KeyId(2)).unwrap().unwrap();
    let expected = new_key(2);
    assert_eq!(
        (key.id, key.fingerprint, &key.public_key),
        (KeyId(2), expected.fingerprint, &expected.public_key)
    );
    assert_eq!(key.material, expected.material);
    let material = KeyMaterial::Elsewhere { custody: "hsm".to_owned(), location: "id=%01".to_owned() };
    store.add_key(&NewKey { material: material.clone(), ..new_key(3) }, &by()).unwrap();
    assert_eq!(store.stored_key(KeyId(3)).unwrap().unwrap().material, material);
    assert!(store.stored_key(KeyId(4)).unwrap().is_none());
}
