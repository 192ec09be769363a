//! Tests each state and each transition.

use std::collections::BTreeMap;

use super::{
    super::holdings::tests::{named, signed},
    *,
};
use crate::actors::share::Shares;

mod shares;

const NOW: Situation<'_> =
    Situation { is_running: true, node: Some(NodeId(7)), outages: 0, speeds: &|_| None };
const STOPPING: Situation<'_> = Situation { is_running: false, ..NOW };
const UNTRUSTED: Situation<'_> = Situation { node: None, ..NOW };

/// The names of the next steps, until there is none.
fn steps(state: &mut State, now: Situation<'_>) -> Vec<&'static str> {
    let mut steps = Vec::new();
    while let Some(step) = state.next(now) {
        steps.push(match step {
            Step::Settle(_) => "settle",
            Step::Gather => "gather",
            Step::Compare(..) => "compare",
            Step::Lease(_) => "lease",
            Step::ChangeIdentity => "change identity",
        });
        assert!(steps.len() < 9, "it never comes to rest: {steps:?}");
    }
    steps
}

/// A node that was woken.
fn woken(limit: usize) -> State {
    State::new(Rooms::new(&Shares::new(2, BTreeMap::new()), limit, 1000))
}

/// The room of the signing threads.
fn room(batches: usize, is_idle: bool) -> Room {
    Room { share: ShareId::SIGNING, batches, least_backlog: 0, is_idle, is_keyless: false }
}

/// A node that is leasing, and has these batches in hand.
fn leasing(batches: &[i64]) -> State {
    let mut state = woken(9);
    batches.iter().for_each(|batch| state.holdings.sign(named(*batch), ShareId::SIGNING));
    assert_eq!(steps(&mut state, NOW), ["lease"]);
    state
}

/// A node that waits to be woken, and has these batches in hand.
fn resting(batches: &[i64]) -> State {
    let mut state = leasing(batches);
    state.leased();
    state
}

#[test]
fn a_woken_node_leases_as_much_as_there_is_room_for() {
    let mut state = woken(3);
    state.holdings.sign(named(1), ShareId::SIGNING);
    let Some(Step::Lease(attempt)) = state.next(NOW) else { panic!("it leases") };
    let (node, rooms) = (NodeId(7), vec![room(2, false)]);
    assert_eq!(attempt, Attempt { node, rooms, want: 2, is_idle: false, is_short: false });
    assert!(!state.is_at_rest());
    state.leased();
    assert_eq!(steps(&mut state, NOW), [""; 0], "nothing woke it");
}

#[test]
fn an_attempt_is_idle_when_nothing_is_in_hand_and_short_when_the_last_one_was() {
    let mut state = woken(3);
    state.rooms.luck(ShareId::SIGNING).leased(0, 2);
    let Some(Step::Lease(attempt)) = state.next(NOW) else { panic!("it leases") };
    let (node, rooms) = (NodeId(7), vec![room(3, true)]);
    assert_eq!(attempt, Attempt { node, rooms, want: 3, is_idle: true, is_short: true });
}

#[test]
fn nothing_is_leased_without_room_or_trust_or_during_a_stop_or_where_none_is_to_be() {
    let full = || {
        let mut state = woken(1);
        state.holdings.sign(named(1), ShareId::SIGNING);
        state
    };
    for (mut state, now) in [(full(), NOW), (woken(1), UNTRUSTED), (woken(1), STOPPING), (woken(0), NOW)] {
        assert_eq!(steps(&mut state, now), [""; 0]);
        assert_eq!(state.taking, Taking::Resting, "only a wake makes it try again");
    }
}

#[test]
fn a_wake_during_a_lease_makes_it_try_again_after_it() {
    let mut state = leasing(&[]);
    state.wake();
    assert_eq!(steps(&mut state, NOW), [""; 0], "one attempt at a time");
    state.leased();
    assert_eq!(steps(&mut state, NOW), ["lease"]);
    state.leased();
    assert_eq!(steps(&mut state, NOW), [""; 0]);
}

#[test]
fn what_is_held_is_compared_before_a_lease_when_it_is_due_and_after_each_outage() {
    let away_once = Situation { outages: 1, ..NOW };
    let mut state = resting(&[]);
    state.compare_soon();
    assert_eq!(steps(&mut state, NOW), [""; 0], "nothing woke it");
    for now in [NOW, away_once] {
        state.wake();
        assert_eq!(steps(&mut state, now), ["compare"]);
        assert!(!state.is_at_rest());
        state.wake();
        assert_eq!(steps(&mut state, now), [""; 0], "nothing is leased before the answer");
        state.compared(Findings::AsKnown);
        assert_eq!(steps(&mut state, now), ["lease"]);
        state.leased();
    }
}

#[test]
fn a_comparison_that_failed_is_made_before_the_next_lease() {
    let mut state = resting(&[]);
    state.compare_soon();
    state.wake();
    assert_eq!(steps(&mut state, NOW), ["compare"]);
    state.not_compared();
    assert_eq!(steps(&mut state, NOW), [""; 0], "it waits for a while");
    state.wake();
    assert_eq!(steps(&mut state, NOW), ["compare"]);
}

#[test]
fn a_full_node_compares_what_it_holds_too() {
    let mut state = woken(1);
    state.holdings.sign(named(1), ShareId::SIGNING);
    state.compare_soon();
    assert_eq!(steps(&mut state, NOW), ["compare"]);
}

#[test]
fn a_node_in_doubt_finishes_what_it_has_before_it_changes_its_identity() {
    let lost = |state: &mut State| state.lost_a_lease();
    let unknown = |state: &mut State| state.compared(Findings::Unknown(1));
    for doubt in [lost, unknown] {
        let mut state = leasing(&[1]);
        doubt(&mut state);
        state.wake();
        assert_eq!(steps(&mut state, NOW), [""; 0], "it takes nothing more");
        state.holdings.finish(signed(named(1)));
        assert_eq!(steps(&mut state, NOW), ["settle"]);
        assert!(!state.is_at_rest());
        state.settled();
        assert!(state.is_at_rest(), "a stop waits for nothing more");
        assert_eq!(steps(&mut state, NOW), ["change identity"]);
        assert!(!state.is_at_rest());
        state.wake();
        assert_eq!(steps(&mut state, NOW), [""; 0]);
        state.changed_identity();
        assert_eq!(steps(&mut state, NOW), ["lease"]);
    }
}

#[test]
fn a_node_that_signs_in_vain_changes_its_identity_at_once() {
    let mut state = resting(&[1]);
    state.compare_soon();
    state.wake();
    assert_eq!(steps(&mut state, NOW), ["compare"]);
    state.compared(Findings::InVain(1));
    assert_eq!(steps(&mut state, NOW), ["change identity"]);
    state.changed_identity();
    assert_eq!(steps(&mut state, NOW), ["lease"]);
}

#[test]
fn what_is_done_waits_a_moment_while_signers_have_enough_to_do() {
    let mut state = resting(&[1, 2, 3, 4, 5]);
    state.holdings.finish(signed(named(1)));
    assert_eq!(steps(&mut state, NOW), ["gather"]);
    state.holdings.finish(signed(named(2)));
    assert_eq!(steps(&mut state, NOW), [""; 0], "the moment is not over");
    state.gathered();
    assert_eq!(steps(&mut state, NOW), ["settle"]);
    state.settled();
    state.holdings.give_back(named(3));
    assert_eq!(steps(&mut state, NOW), ["gather", "lease"], "the next waits anew; there is room now");
}

#[test]
fn what_is_done_waits_for_nothing_when_it_is_half_of_all_or_the_service_stops() {
    let mut state = resting(&[1, 2, 3, 4]);
    state.holdings.finish(signed(named(1)));
    assert_eq!(steps(&mut state, NOW), ["gather"]);
    state.holdings.finish(signed(named(2)));
    assert_eq!(steps(&mut state, NOW), ["settle"]);

    let mut state = resting(&[1, 2, 3, 4]);
    state.holdings.give_back(named(1));
    assert_eq!(steps(&mut state, STOPPING), ["settle"]);
}

#[test]
fn one_transaction_settles_at_a_time_and_what_is_done_meanwhile_goes_into_the_next() {
    let mut state = resting(&[1, 2]);
    state.holdings.finish(signed(named(1)));
    assert_eq!(steps(&mut state, NOW), ["settle"]);
    state.holdings.finish(signed(named(2)));
    assert_eq!(steps(&mut state, NOW), [""; 0]);
    state.gathered();
    assert_eq!(steps(&mut state, NOW), [""; 0], "nor when a moment is over");
    state.settled();
    assert_eq!(steps(&mut state, NOW), ["settle", "lease"]);
}

#[test]
fn a_node_is_at_rest_when_nothing_is_in_hand_and_nothing_is_being_taken() {
    assert!(woken(1).is_at_rest());
    assert!(resting(&[]).is_at_rest());
    assert!(!resting(&[1]).is_at_rest());
    assert!(!leasing(&[]).is_at_rest());
    let mut state = resting(&[1]);
    state.holdings.finish(signed(named(1)));
    state.holdings.settle();
    state.settled();
    state.holdings.set_aside(named(1));
    assert!(state.is_at_rest(), "what is set aside is in nobody's hand");
}
