//! The key pool.

use std::{sync::mpsc::channel, thread, time::Duration};

use signwave::{
    domain::{AuditId, Fingerprint, KeyId, KeyLimits, KeyMaterial, KeyState},
    store::{
        AddKeyVerdict, CertificatesVerdict, KeyStateVerdict, KeysByState, NewCertificates, NewKey, Reseal,
        ResealVerdict, Store,
    },
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

pub fn a_key_has_its_limits_from_the_start(tested: &TestedStore) {
    let store = &*tested.store;
    let limits = KeyLimits {
        max_signatures: Some(9.try_into().unwrap()),
        not_before: Some("2027-01-31T12:00:00.5Z".parse().unwrap()),
        not_after: Some("9000-01-01T00:00:00Z".parse().unwrap()),
    };
    for (number, limits) in [(1, KeyLimits::default()), (2, limits)] {
        store.add_key(&NewKey { limits, ..new_key(number) }, &by()).unwrap();
    }
    let stored: Vec<_> = store.keys().unwrap().iter().map(|key| key.limits).collect();
    assert_eq!(stored, [KeyLimits::default(), limits]);
    let again = NewKey { limits, ..new_key(1) };
    assert_eq!(store.add_key(&again, &by()).unwrap(), AddKeyVerdict::AlreadyThere(KeyId(1)));
    assert_eq!(store.key(KeyId(1)).unwrap().unwrap().limits, KeyLimits::default());
}

pub fn certificates_are_stored_replaced_and_removed_and_each_change_is_logged(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 3);
    let new = |length: usize, summary: &str| NewCertificates {
        chain: (0..length).map(|at| at as u8).collect(),
        summary: summary.to_owned(),
    };
    let set = |key, new: Option<&NewCertificates>| store.set_certificates(KeyId(key), new, &by()).unwrap();
    let (small, large) = (new(1, "small"), new(65536, "large"));
    assert_eq!(set(2, None), CertificatesVerdict::HadNone);
    assert_eq!(set(4, Some(&small)), CertificatesVerdict::NoSuchKey);
    store.set_key_state(KeyId(3), KeyState::Retired, None, &by()).unwrap();
    for (key, new) in [(3, &small), (2, &small), (2, &large)] {
        assert_eq!(set(key, Some(new)), CertificatesVerdict::Set);
    }
    let stored = [(KeyId(2), large.chain.clone()), (KeyId(3), small.chain.clone())];
    assert_eq!(store.certificates(None).unwrap(), stored);
    assert_eq!(store.certificates(Some(KeyId(3))).unwrap(), stored[1..]);
    assert_eq!(store.certificates(Some(KeyId(1))).unwrap(), []);
    assert!(store.set_certificates(KeyId(2), Some(&new(65537, "too large")), &by()).is_err());
    assert!(store.set_certificates(KeyId(2), Some(&new(0, "empty")), &by()).is_err());
    assert_eq!(set(2, None), CertificatesVerdict::Set);
    assert_eq!(store.certificates(None).unwrap(), stored[1..]);
    let log = store.audit_log(AuditId(4), 9).unwrap();
    let rows: Vec<_> =
        log.iter().map(|row| (&*row.action, row.before.as_deref(), row.after.as_deref())).collect();
    let expected = [
        ("none", "small"),
        ("none", "small"),
        ("certificates of 1 bytes", "large"),
        ("certificates of 65536 bytes", "none"),
    ];
    assert_eq!(rows, expected.map(|(before, after)| ("key.certificates", Some(before), Some(after))));
}

fn material(store: &dyn Store, id: i64) -> KeyMaterial {
    store.stored_key(KeyId(id)).unwrap().unwrap().material
}

pub fn sealed_keys_are_replaced_all_or_none(tested: &TestedStore) {
    let store = &*tested.store;
    let elsewhere = KeyMaterial::Elsewhere { custody: "hsm".to_owned(), location: "id=%01".to_owned() };
    add_keys(store, 4);
    store.add_key(&NewKey { material: elsewhere.clone(), ..new_key(5) }, &by()).unwrap();
    for (state, key) in KeyState::ALL.into_iter().zip((1..).map(KeyId)) {
        store.set_key_state(key, state, None, &by()).unwrap();
    }
    let rows = || store.audit_log(AuditId(0), 1000).unwrap();
    let (keys, before) = (store.keys().unwrap(), rows().len());
    let mut asked = Vec::new();
    let refused = store.reseal_keys(
        "abc",
        &mut |fingerprint, sealed| {
            asked.push((*fingerprint, sealed.to_vec()));
            if fingerprint.0[0] == 3 { Reseal::Refuse } else { Reseal::Replace(vec![9]) }
        },
        &by(),
    );
    assert_eq!(refused.unwrap(), ResealVerdict::Refused(KeyId(3)));
    let expected = [1, 2, 3].map(|n| (new_key(n).fingerprint, vec![n; 1250]));
    assert_eq!(asked, expected);
    assert!((1..=4).all(|id| material(store, id) == new_key(id as u8).material));
    assert_eq!(rows().len(), before);

    let keep = store.reseal_keys("abc", &mut |_, _| Reseal::Keep, &by()).unwrap();
    assert_eq!((keep, rows().len()), (ResealVerdict::Done { replaced: 0, kept: 4 }, before));

    let mut reseal = |_: &Fingerprint, sealed: &[u8]| match sealed[0] {
        2 => Reseal::Keep,
        number => Reseal::Replace(vec![number, 0, 255]),
    };
    let done = store.reseal_keys("abc", &mut reseal, &by()).unwrap();
    assert_eq!(done, ResealVerdict::Done { replaced: 3, kept: 1 });
    let now: Vec<_> = (1..=5).map(|id| material(store, id)).collect();
    let sealed = |number| KeyMaterial::Sealed(vec![number, 0, 255]);
    assert_eq!(now, [sealed(1), new_key(2).material, sealed(3), sealed(4), elsewhere]);
    assert_eq!(store.keys().unwrap(), keys, "nothing else has changed");
    let row = rows().pop().unwrap();
    assert_eq!((row.action.as_str(), row.object.as_str()), ("master.rotate", "abc"));
    assert_eq!((row.before, row.after.as_deref()), (None, Some("3 keys resealed")));
    assert_eq!(rows().len(), before + 1);
}

pub fn no_key_is_added_while_sealed_keys_are_replaced(tested: &TestedStore) {
    let (store, other) = (&*tested.store, tested.other());
    add_keys(store, 2);
    let (tell, added) = channel();
    thread::scope(|scope| {
        let other = &*other;
        let mut begin = Some(move || tell.send(other.add_key(&new_key(9), &by()).unwrap()).unwrap());
        let mut reseal = |_: &Fingerprint, _: &[u8]| {
            if let Some(begin) = begin.take() {
                scope.spawn(begin);
                assert!(added.recv_timeout(Duration::from_millis(200)).is_err(), "a key was missed");
            }
            Reseal::Replace(vec![1])
        };
        let done = store.reseal_keys("abc", &mut reseal, &by()).unwrap();
        assert_eq!(done, ResealVerdict::Done { replaced: 2, kept: 0 });
    });
    assert_eq!(added.recv().unwrap(), AddKeyVerdict::Added(KeyId(3)));
    assert_eq!(material(store, 3), new_key(9).material);
}
