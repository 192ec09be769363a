//! Tests how the shares of a node take batches beside each other.

use std::time::Duration;

use super::*;
use crate::actors::speed::Speed;

const SIGNING: ShareId = ShareId::SIGNING;

/// Two signing threads, and a card with one session.
fn with_a_card() -> State {
    let shares = Shares::new(2, [("card".to_owned(), 1)].into());
    State::new(Rooms::new(&shares, 4, 1000))
}

fn card() -> ShareId {
    ShareId::first(2).last().unwrap()
}

/// 8,000 signatures per second on the signing threads, and 10 by the card.
fn known(share: ShareId) -> Option<Speed> {
    let per_second = if share.waits() { 10.0 } else { 8000.0 };
    Some(Speed { each: Duration::from_millis(if share.waits() { 100 } else { 1 }), per_second })
}

const KNOWN: Situation<'_> = Situation { speeds: &known, ..NOW };

/// Each room of an attempt with its batches and its least backlog, and how many batches are wanted.
type Tried = (Vec<(ShareId, usize, u64)>, usize);

/// The next attempt.
fn attempt(state: &mut State, now: Situation<'_>) -> Option<Tried> {
    state.next(now).map(|step| {
        let Step::Lease(attempt) = step else { panic!("{step:?}") };
        let rooms = attempt.rooms.iter().map(|room| (room.share, room.batches, room.least_backlog));
        (rooms.collect(), attempt.want)
    })
}

/// The attempt is over, and the card was not admitted.
fn not_admitted(state: &mut State, backlog: u64) {
    state.leased();
    state.rooms.note_backlog(backlog);
    state.rooms.has_not_tried(card(), false);
}

#[test]
fn a_slow_share_leases_beside_the_signing_threads_when_the_backlog_lasts_longer_than_its_batch() {
    let mut state = with_a_card();
    let least = 881_100; // 110 s of 8,010 records per second
    assert_eq!(attempt(&mut state, NOW), Some((vec![(SIGNING, 4, 0), (card(), 1, u64::MAX)], 4)));
    not_admitted(&mut state, least);
    assert_eq!(attempt(&mut state, KNOWN), None, "nothing woke it");
    state.wake_share(SIGNING);
    assert_eq!(attempt(&mut state, KNOWN), Some((vec![(SIGNING, 4, 0), (card(), 1, least)], 5)));
    not_admitted(&mut state, least - 1);
    state.wake_share(SIGNING);
    assert_eq!(attempt(&mut state, KNOWN), Some((vec![(SIGNING, 4, 0), (card(), 1, least)], 4)));
}

#[test]
fn a_share_without_room_or_a_wake_stops_no_other() {
    let mut state = with_a_card();
    state.rooms.note_backlog(u64::MAX);
    (1..=4).for_each(|batch| state.holdings.sign(named(batch), SIGNING));
    assert_eq!(attempt(&mut state, KNOWN), Some((vec![(card(), 1, 881_100)], 1)));
    state.holdings.sign(named(5), card());
    state.leased();
    state.holdings.finish(signed(named(1)));
    state.holdings.finish(signed(named(2)));
    assert_eq!(steps(&mut state, KNOWN), ["settle"]);
    state.settled();
    // The card is busy for as long as it wants to be.
    assert_eq!(attempt(&mut state, KNOWN), Some((vec![(SIGNING, 2, 0)], 2)));
    state.leased();
    // It has no idle key now, and pauses; what the signing threads have stored does not wake it.
    state.holdings.finish(signed(named(5)));
    assert_eq!(steps(&mut state, KNOWN), ["settle"]);
    state.settled();
    assert_eq!(attempt(&mut state, KNOWN), Some((vec![(card(), 1, 881_100)], 1)));
    state.rooms.luck(card()).leased(0, 1);
    state.leased();
    state.holdings.finish(signed(named(3)));
    assert_eq!(steps(&mut state, STOPPING), ["settle"]);
    state.settled();
    assert_eq!(attempt(&mut state, KNOWN), Some((vec![(SIGNING, 3, 0)], 3)));
    state.leased();
    state.wake_share(card());
    assert_eq!(attempt(&mut state, KNOWN), Some((vec![(card(), 1, 881_100)], 1)));
}

#[test]
fn a_slow_share_whose_keys_alone_may_sign_takes_all_that_there_is() {
    let mut state = with_a_card();
    assert_eq!(attempt(&mut state, NOW), Some((vec![(SIGNING, 4, 0), (card(), 1, u64::MAX)], 4)));
    not_admitted(&mut state, 1000);
    assert!(state.rooms.luck(SIGNING).found_no_key());
    state.wake_waiting();
    assert_eq!(attempt(&mut state, NOW), Some((vec![(card(), 1, 0)], 1)));
    state.leased();
    // A key of the signing threads is enabled: they have it at their next attempt.
    state.wake();
    assert_eq!(attempt(&mut state, NOW), Some((vec![(SIGNING, 4, 0), (card(), 1, 0)], 5)));
    state.rooms.luck(SIGNING).leased(1, 1);
    state.leased();
    state.wake();
    assert_eq!(attempt(&mut state, NOW), Some((vec![(SIGNING, 4, 0), (card(), 1, u64::MAX)], 4)));
}

#[test]
fn a_node_in_doubt_does_not_wait_for_a_custodian_that_may_never_answer() {
    let mut state = with_a_card();
    state.holdings.sign(named(1), SIGNING);
    state.holdings.sign(named(2), card());
    assert_eq!(steps(&mut state, NOW), ["lease"]);
    state.lost_a_lease();
    assert_eq!(steps(&mut state, NOW), [""; 0], "the signing threads finish");
    state.holdings.finish(signed(named(1)));
    assert_eq!(steps(&mut state, NOW), ["settle"]);
    assert_eq!(steps(&mut state, NOW), [""; 0]);
    state.settled();
    assert_eq!(steps(&mut state, NOW), ["change identity"]);
}
