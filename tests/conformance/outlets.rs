//! Outlets: one node at a time holds each, and nobody else moves its place.

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    thread::scope,
    time::Duration,
};

use signwave::{
    domain::{AuditId, Epoch, FeedId, NodeId, Place, Position},
    store::{AdvanceVerdict, Claim, ClaimVerdict, OutletRow, ResetTo, ResetVerdict, Store, StoreError},
};
use support::{
    store::{add_keys, add_records, by, lease, open_all, register, sign},
    tested_store::TestedStore,
};

const HOLD: Duration = Duration::from_secs(30);
const QUEUE: &str = "amqp://user@host/?queue=q";

/// A feed with this many positions.
fn setup(tested: &TestedStore, places: usize) {
    let store = &*tested.store;
    add_keys(store, places as u8);
    add_records(store, places);
    open_all(store, 1);
    let node = register(store);
    let signed: Vec<_> = lease(store, node, places).into_iter().map(sign).collect();
    store.commit(&signed).unwrap();
    assert_eq!(store.sequence().unwrap().last, Place(places as i64));
}

fn claim(store: &dyn Store, node: i64) -> ClaimVerdict {
    store.claim_outlet(QUEUE, NodeId(node), HOLD, Place(1)).unwrap()
}

fn claimed(store: &dyn Store, node: i64) -> Claim {
    match claim(store, node) {
        ClaimVerdict::Claimed(claim) => claim,
        other => panic!("{other:?}"),
    }
}

fn advance(store: &dyn Store, claim: &mut Claim, place: i64) -> AdvanceVerdict {
    store.advance_outlet(claim, Place(place), HOLD).unwrap()
}

pub fn an_outlet_begins_where_it_was_asked_to_and_goes_on_where_it_was(tested: &TestedStore) {
    let store = &*tested.store;
    setup(tested, 3);
    assert_eq!(store.outlets().unwrap(), []);
    let mut first = claimed(store, 1);
    assert_eq!((first.place, first.epoch), (Place(1), Epoch(1)));
    assert_eq!(advance(store, &mut first, 3), AdvanceVerdict::Advanced);
    assert_eq!(first.place, Place(3));
    let row = store.outlets().unwrap().remove(0);
    let position = Position::behind(store.sequence().unwrap().feed, Place(3));
    assert_eq!((row.name.as_str(), row.position, row.holder), (QUEUE, position, Some(NodeId(1))));
    store.release_outlet(first).unwrap();
    assert_eq!(store.outlets().unwrap()[0].holder, None);
    let second = claimed(&*tested.other(), 2);
    assert_eq!((second.place, second.epoch), (Place(3), Epoch(2)), "the start counts once");
    let other = store.claim_outlet("webhook:a", NodeId(3), HOLD, Place(0)).unwrap();
    assert!(matches!(other, ClaimVerdict::Claimed(claim) if claim.place == Place(0)));
    let names: Vec<_> = store.outlets().unwrap().into_iter().map(|row| row.name).collect();
    assert_eq!(names, [QUEUE, "webhook:a"]);
    let refused = store.claim_outlet("", NodeId(1), HOLD, Place(0));
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
}

pub fn an_outlet_is_held_by_one_node_until_its_time_is_over(tested: &TestedStore) {
    let store = &*tested.store;
    setup(tested, 3);
    let mut first = claimed(store, 1);
    assert_eq!(claim(store, 2), ClaimVerdict::Held);
    tested.let_time_pass(HOLD / 2);
    assert_eq!(advance(store, &mut first, 1), AdvanceVerdict::Advanced, "this renews the hold");
    tested.let_time_pass(HOLD * 2 / 3);
    assert_eq!(claim(store, 2), ClaimVerdict::Held);
    tested.let_time_pass(HOLD / 2);
    assert_eq!(store.outlets().unwrap()[0].holder, None);
    assert_eq!(advance(store, &mut first, 2), AdvanceVerdict::Advanced, "nobody else took it");
    tested.let_time_pass(HOLD * 2);
    let second = claimed(store, 2);
    assert_eq!(second.place, Place(2));
    let again = claimed(store, 2);
    assert_eq!(again.epoch, second.epoch.next(), "a node that has it may claim it again");
}

pub fn a_holder_whose_time_is_over_is_fenced(tested: &TestedStore) {
    let store = &*tested.store;
    setup(tested, 3);
    let mut late = claimed(store, 1);
    tested.let_time_pass(HOLD * 2);
    let mut current = claimed(store, 2);
    assert_eq!(advance(store, &mut late, 2), AdvanceVerdict::Fenced);
    assert_eq!(late.place, Place(1));
    store.release_outlet(late).unwrap();
    assert_eq!(claim(store, 3), ClaimVerdict::Held, "its release changed nothing");
    assert_eq!(advance(store, &mut current, 3), AdvanceVerdict::Advanced);
    assert_eq!(advance(store, &mut current, 3), AdvanceVerdict::Advanced, "as after a lost reply");
    assert_eq!(advance(store, &mut current, 2), AdvanceVerdict::Fenced, "never back");
    let mut given_back = Claim { name: QUEUE.to_owned(), ..current };
    store.release_outlet(Claim { name: QUEUE.to_owned(), ..given_back }).unwrap();
    assert_eq!(advance(store, &mut given_back, 3), AdvanceVerdict::Fenced);
    assert_eq!(store.outlets().unwrap()[0].position.place, Place(3));
}

pub fn a_position_that_is_not_in_the_feed_is_never_claimed(tested: &TestedStore) {
    let store = &*tested.store;
    let feed = store.sequence().unwrap().feed;
    let ahead = ClaimVerdict::NotInFeed(Position::behind(feed, Place(1)));
    assert_eq!(claim(store, 1), ahead, "the feed is empty");
    assert_eq!(claim(store, 1), ahead);
    setup(tested, 1);
    assert_eq!(claimed(store, 1).place, Place(1));
}

/// What the log says of resets: the outlet, and its positions before and after.
fn resets(store: &dyn Store) -> Vec<(String, Option<String>, Option<String>)> {
    let rows = store.audit_log(AuditId(0), 1000).unwrap().into_iter();
    rows.filter(|row| row.action == "outlet.reset").map(|row| (row.object, row.before, row.after)).collect()
}

pub fn a_reset_sets_where_an_outlet_goes_on_and_the_log_says_so(tested: &TestedStore) {
    let store = &*tested.store;
    setup(tested, 3);
    let feed = store.sequence().unwrap().feed;
    let at = |place| Position::behind(feed, Place(place));
    let reset = |to| store.reset_outlet(QUEUE, to, &by()).unwrap();
    assert_eq!(reset(ResetTo::Start), ResetVerdict::NotThere);
    let mut expected = Vec::new();
    let mut now = 1;
    for (to, place) in [
        (ResetTo::Start, 0),
        (ResetTo::End, 3),
        (ResetTo::Behind(feed, Place(2)), 2),
        (ResetTo::Behind(feed, Place(3)), 3),
    ] {
        let before = claimed(store, 1);
        assert_eq!(before.place, Place(now));
        let epoch = before.epoch;
        store.release_outlet(before).unwrap();
        assert_eq!(reset(to), ResetVerdict::Reset { before: at(now), after: at(place) });
        expected.push((QUEUE.to_owned(), Some(at(now).to_string()), Some(at(place).to_string())));
        let after = claimed(&*tested.other(), 2);
        assert!(after.place == Place(place) && after.is_reset_since(epoch));
        let epoch = after.epoch;
        store.release_outlet(after).unwrap();
        let again = claimed(store, 1);
        assert!(!again.is_reset_since(epoch), "only a claim");
        store.release_outlet(again).unwrap();
        now = place;
    }
    let beyond = ResetVerdict::NotInFeed(at(3));
    assert_eq!(reset(ResetTo::Behind(feed, Place(4))), beyond);
    assert_eq!(reset(ResetTo::Behind(FeedId([9; 6]), Place(1))), beyond);
    assert_eq!((store.outlets().unwrap()[0].position, resets(store)), (at(3), expected));
}

pub fn an_outlet_is_reset_only_while_no_node_holds_it(tested: &TestedStore) {
    let store = &*tested.store;
    setup(tested, 3);
    let mut holder = claimed(store, 1);
    let reset = || store.reset_outlet(QUEUE, ResetTo::Start, &by()).unwrap();
    assert_eq!(reset(), ResetVerdict::Held(NodeId(1)));
    assert_eq!(advance(store, &mut holder, 2), AdvanceVerdict::Advanced);
    assert_eq!((reset(), resets(store)), (ResetVerdict::Held(NodeId(1)), Vec::new()));
    tested.let_time_pass(HOLD * 2);
    assert!(matches!(reset(), ResetVerdict::Reset { .. }), "its time is over");
    assert_eq!(advance(store, &mut holder, 3), AdvanceVerdict::Fenced, "it was only late");
    store.release_outlet(holder).unwrap();
    assert_eq!(claimed(store, 2).place, Place(0));
}

pub fn an_outlet_that_is_ahead_of_the_feed_goes_on_after_a_reset(tested: &TestedStore) {
    let store = &*tested.store;
    assert!(matches!(claim(store, 1), ClaimVerdict::NotInFeed(_)), "the feed is empty");
    for to in [ResetTo::Start, ResetTo::End] {
        assert!(matches!(store.reset_outlet(QUEUE, to, &by()).unwrap(), ResetVerdict::Reset { .. }));
    }
    assert_eq!(claimed(store, 1).place, Place(0));
}

pub fn of_many_nodes_exactly_one_claims_an_outlet(tested: &TestedStore) {
    setup(tested, 1);
    for round in 0..10 {
        let (winners, name) = (AtomicUsize::new(0), format!("webhook:{round}"));
        let stores: Vec<_> = (0..4).map(|_| tested.other()).collect();
        scope(|scope| {
            for (node, store) in (1..).zip(&stores) {
                let (winners, name) = (&winners, &name);
                scope.spawn(move || match store.claim_outlet(name, NodeId(node), HOLD, Place(0)).unwrap() {
                    ClaimVerdict::Claimed(_) => drop(winners.fetch_add(1, SeqCst)),
                    ClaimVerdict::Held => {}
                    other => panic!("{other:?}"),
                });
            }
        });
        assert_eq!(winners.into_inner(), 1);
    }
}

pub fn a_clock_that_is_set_back_makes_no_hold_longer(tested: &TestedStore) {
    let store = &*tested.store;
    setup(tested, 1);
    claimed(store, 1);
    tested.set_clock_back(HOLD * 100);
    assert_eq!(claim(store, 2), ClaimVerdict::Held, "from now on its time is counted again");
    tested.let_time_pass(OutletRow::LONGEST_HOLD * 2);
    claimed(store, 2);
}
