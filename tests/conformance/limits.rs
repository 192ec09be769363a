//! Limits of keys: at most so many signatures, not before, not after.

use std::time::Duration;

use signwave::{
    domain::{
        AuditId, Barred, CommitVerdict, KeyId, KeyLimits, KeyState, Lease, LimitChange, LimitRefusal,
        MaxSignatures,
    },
    store::{BarredKeys, KeyLimitsVerdict, Store},
};
use support::{
    promises::Promises,
    store::{add_keys, add_records, by, lease, open_all, register, sign},
    tested_store::TestedStore,
    waiting::until,
};

use super::commit_one;

/// Long before and long after every test, by any store's clock.
const PAST: &str = "2000-01-01T00:00:00.000Z";
const FUTURE: &str = "9000-01-01T00:00:00.000Z";

pub(super) fn at_most(number: i64) -> LimitChange {
    LimitChange { max_signatures: Some(Some(number.try_into().unwrap())), ..LimitChange::default() }
}

fn not_before(time: &str) -> LimitChange {
    LimitChange { not_before: Some(Some(time.parse().unwrap())), ..LimitChange::default() }
}

fn not_after(time: &str) -> LimitChange {
    LimitChange { not_after: Some(Some(time.parse().unwrap())), ..LimitChange::default() }
}

pub(super) fn set(store: &dyn Store, key: i64, change: LimitChange) -> KeyLimitsVerdict {
    store.set_key_limits(KeyId(key), &change, &by()).unwrap()
}

/// Batches of so many records each.
fn batches(store: &dyn Store, sizes: &[usize]) {
    for size in sizes {
        add_records(store, *size);
        open_all(store, 100);
    }
}

fn pairs(leases: &[Lease]) -> Vec<(i64, i64)> {
    leases.iter().map(|lease| (lease.batch().0, lease.key().0)).collect()
}

fn store_all(store: &dyn Store, leases: Vec<Lease>) {
    leases.into_iter().for_each(|lease| assert_eq!(commit_one(store, sign(lease)), CommitVerdict::Committed));
}

pub fn a_batch_that_a_key_may_not_sign_goes_to_another_key(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 3);
    set(store, 1, at_most(2));
    set(store, 3, at_most(4));
    batches(store, &[5, 5, 2, 4, 1]);
    let node = register(store);
    let leases = lease(store, node, 9);
    assert_eq!(pairs(&leases), [(1, 2), (3, 1), (4, 3)], "the second batch waits, and holds up no other");
    store_all(store, leases);
    let leases = lease(store, node, 9);
    assert_eq!(pairs(&leases), [(2, 2)], "keys 1 and 3 have signed all that they may");
    store_all(store, leases);
    assert_eq!(pairs(&lease(store, node, 9)), [(5, 2)]);
    Promises::default().check(store);
}

/// Keys that may sign no open batch come first in the order of use, and there are more of them than are asked for.
pub fn keys_that_are_used_up_hold_up_no_other_key(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 9);
    for key in 1..=8 {
        set(store, key, at_most(2));
    }
    batches(store, &[3, 3, 1, 3, 1]);
    let node = register(store);
    assert_eq!(pairs(&lease(store, node, 2)), [(1, 9), (3, 1)]);
    assert_eq!(pairs(&lease(store, node, 1)), [(5, 2)]);
    assert_eq!(lease(store, node, 9), []);
}

pub fn a_lease_that_was_given_back_counts_for_nothing(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 1);
    set(store, 1, at_most(3));
    batches(store, &[3, 1]);
    let node = register(store);
    let given = lease(store, node, 9);
    store.release(&[(given[0].batch(), given[0].epoch())]).unwrap();
    let given = lease(store, node, 9);
    assert_eq!(pairs(&given), [(1, 1)]);
    store_all(store, given);
    assert_eq!(lease(store, node, 9), []);
    set(store, 1, at_most(4));
    assert_eq!(pairs(&lease(store, node, 9)), [(2, 1)], "a limit that is raised takes effect at once");
}

pub fn a_key_signs_between_its_times(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 4);
    set(store, 1, not_before(FUTURE));
    set(store, 2, not_after(PAST));
    set(store, 3, LimitChange { not_after: not_after(FUTURE).not_after, ..not_before(PAST) });
    batches(store, &[1; 4]);
    let node = register(store);
    assert_eq!(pairs(&lease(store, node, 9)), [(1, 3), (2, 4)]);
    let barred: Vec<_> = store.keys().unwrap().iter().map(|key| key.barred).collect();
    assert_eq!(barred, [Some(Barred::NotYetValid), Some(Barred::Expired), None, None]);
    let none = LimitChange { not_before: Some(None), not_after: Some(None), ..LimitChange::default() };
    set(store, 1, none);
    set(store, 2, none);
    assert_eq!(pairs(&lease(store, node, 9)), [(3, 1), (4, 2)]);
}

/// Long enough for what happens before.
const AHEAD: Duration = Duration::from_secs(5);

/// The clock is that of the database, which is this machine's here, or one that tests move.
pub fn the_time_of_a_key_begins_and_ends_by_the_clock_of_the_database(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 2);
    let now = humantime::parse_rfc3339(&store.keys().unwrap()[1].created_at).unwrap();
    let soon = humantime::format_rfc3339_millis(now + AHEAD).to_string();
    set(store, 1, not_before(&soon));
    set(store, 2, not_after(&soon));
    batches(store, &[1, 1, 1]);
    let node = register(store);
    let before = lease(store, node, 9);
    assert_eq!(pairs(&before), [(1, 2)]);
    let ids: Vec<_> = before.iter().map(|lease| (lease.batch(), lease.epoch())).collect();
    store.release(&ids).unwrap();
    tested.advance_own_clock(AHEAD);
    let barred = || -> Vec<_> { store.keys().unwrap().iter().map(|key| key.barred).collect() };
    until("the time has come", Duration::from_secs(10), || barred() == [None, Some(Barred::Expired)]);
    assert_eq!(pairs(&lease(store, node, 9)), [(1, 1)]);
}

pub fn a_batch_that_was_leased_in_time_is_stored_after_it(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 1);
    batches(store, &[2, 2]);
    let node = register(store);
    let leases = lease(store, node, 9);
    assert!(matches!(set(store, 1, not_after(PAST)), KeyLimitsVerdict::Set(_)));
    store_all(store, leases);
    assert_eq!(store.keys().unwrap()[0].signature_count, 2);
    assert_eq!(lease(store, node, 9), []);
}

pub fn limits_are_set_one_by_one_and_each_change_is_logged(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 1);
    let (from, until, most) =
        (PAST.parse().unwrap(), FUTURE.parse().unwrap(), MaxSignatures::try_from(9).unwrap());
    let mut expected = KeyLimits { max_signatures: Some(most), ..KeyLimits::default() };
    assert_eq!(set(store, 1, at_most(9)), KeyLimitsVerdict::Set(expected));
    expected.not_before = Some(from);
    assert_eq!(set(store, 1, not_before(PAST)), KeyLimitsVerdict::Set(expected));
    expected.not_after = Some(until);
    assert_eq!(set(store, 1, not_after(FUTURE)), KeyLimitsVerdict::Set(expected));
    assert_eq!(store.keys().unwrap()[0].limits, expected);
    assert_eq!(set(store, 1, not_after(PAST)), KeyLimitsVerdict::Refused(LimitRefusal::NoTime));
    assert_eq!(set(store, 7, at_most(9)), KeyLimitsVerdict::NoSuchKey);
    let log = store.audit_log(AuditId(1), 9).unwrap();
    let texts: Vec<_> =
        log.iter().map(|row| (&*row.action, row.before.as_deref(), row.after.as_deref())).collect();
    let [one, two, three] = [
        "at most 9 signatures".to_owned(),
        format!("at most 9 signatures, not before {PAST}"),
        format!("at most 9 signatures, not before {PAST}, not after {FUTURE}"),
    ];
    let rows = [(Some("none"), &one), (Some(&*one), &two), (Some(&*two), &three)];
    assert_eq!(texts, rows.map(|(before, after)| ("key.limits", before, Some(&**after))));
}

pub fn a_limit_is_never_below_what_is_signed_and_being_signed(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 2);
    batches(store, &[3, 2]);
    let node = register(store);
    commit_one(store, sign(lease(store, node, 1).remove(0)));
    store.set_key_state(KeyId(2), KeyState::Retired, None, &by()).unwrap();
    let leases = lease(store, node, 1);
    assert_eq!(pairs(&leases), [(2, 1)]);
    let refused = KeyLimitsVerdict::Refused(LimitRefusal::BelowUse { stored: 3, leased: 2 });
    assert_eq!(set(store, 1, at_most(4)), refused);
    assert!(matches!(set(store, 1, at_most(5)), KeyLimitsVerdict::Set(_)));
    store_all(store, leases);
    let refused = KeyLimitsVerdict::Refused(LimitRefusal::BelowUse { stored: 5, leased: 0 });
    assert_eq!(set(store, 1, at_most(4)), refused);
    assert_eq!(set(store, 2, at_most(4)), KeyLimitsVerdict::Refused(LimitRefusal::Retired));
    Promises::default().check(store);
}

pub fn a_key_says_why_it_may_not_sign_and_the_status_counts_it(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 5);
    set(store, 1, at_most(2));
    set(store, 2, not_before(FUTURE));
    set(store, 3, not_after(PAST));
    let barred = || -> Vec<_> { store.keys().unwrap().iter().map(|key| key.barred).collect() };
    assert_eq!(barred()[0], None, "it may sign a batch of two records");
    batches(store, &[3]);
    let expected = [Some(Barred::Exhausted), Some(Barred::NotYetValid), Some(Barred::Expired), None, None];
    assert_eq!(barred(), expected);
    let status = store.status().unwrap();
    assert_eq!(status.barred, BarredKeys { not_yet_valid: 1, expired: 1, exhausted: 1 });
    assert_eq!((status.keys.active, status.usable_keys()), (5, 2));
    assert_eq!(status.barred.to_string(), "1 not-yet-valid, 1 expired, 1 exhausted");
    batches(store, &[1]);
    assert_eq!(barred()[0], None, "now there is a batch that it may sign");
    store.set_key_state(KeyId(2), KeyState::Disabled, None, &by()).unwrap();
    assert_eq!(barred()[1], None, "its state says it already");
}
