//! Slow beside fast: what a custodian that signs outside the process does to the signing threads, in simulated time.

use std::time::Duration;

use signwave::{
    actors::Mode,
    config::{Roles, Settings},
    store::{Audit, KeyRow, Reading},
};
use tokio::{
    runtime::Builder,
    task::LocalSet,
    time::{Instant, sleep},
};

use crate::{
    fate::Fate,
    node::Node,
    panics,
    scenario::{CARD, Card, Pace, Scenario, Weather},
    shared::Shared,
};

/// Two signing threads make 8,000 signatures per second.
const FAST: Pace = Pace::Each(Duration::from_micros(250));
/// Ten keys, of which each makes ten signatures per second.
const SLOW: Card = Card { keys: 10, sessions: 10, pace: Pace::Each(Duration::from_millis(100)) };
const SEALED: usize = 100;
const RECORDS: usize = 100_000;

/// What became of a run.
struct Outcome {
    /// When everything was signed; `None` if it was not.
    ended: Option<Duration>,
    /// How many records were signed after each tenth of a second.
    signed: Vec<u64>,
    /// How many keys of the card were leased.
    slow_used: usize,
}

impl Outcome {
    /// How many records were signed after this time.
    fn after(&self, time: Duration) -> f64 {
        let place = time.as_millis() as usize / 100;
        self.signed[place.min(self.signed.len() - 1)] as f64
    }

    fn seconds(&self) -> f64 {
        self.ended.expect("everything is signed").as_secs_f64()
    }
}

/// One node signs `records` records with `sealed` sealed keys and those of a card, for `limit` at most.
fn sign(sealed: usize, card: Option<Card>, batch_size: usize, records: usize, limit: Duration) -> Outcome {
    panics::note();
    let settings =
        Settings { batch_size, signers: 2, node_name: "simulated".to_owned(), ..Settings::default() };
    let scenario = Scenario {
        records,
        keys: sealed + card.map_or(0, |card| card.keys),
        card,
        pace: FAST,
        measures: true,
        settings: Vec::new(),
        in_turn: true,
        same_host: true,
        weather: Weather::calm(),
        troubles: Vec::new(),
        events: 0,
        gap: Duration::ZERO,
    };
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let outcome = LocalSet::new().block_on(&runtime, async {
        let fate = Fate::new(1);
        fate.begin();
        let shared = Shared::new(fate, &scenario);
        let node = Node::start(&shared, 0, &settings, Mode::Serve(Roles::Both), true);
        let outcome = watch(&shared, &node, records, limit).await;
        node.stop.request();
        node.stop.request();
        while node.ended().is_none() {
            sleep(Duration::from_millis(100)).await;
        }
        shared.check_now();
        outcome
    });
    assert_eq!(panics::noted(), Vec::<String>::new());
    outcome
}

async fn watch(shared: &Shared, node: &Node, records: usize, limit: Duration) -> Outcome {
    let (begun, mut signed) = (Instant::now(), Vec::new());
    while begun.elapsed() < limit && node.counters.signed() < records as u64 {
        if begun.elapsed().as_millis() % 100 == 0 {
            signed.push(node.counters.signed());
        }
        sleep(Duration::from_millis(10)).await;
    }
    signed.push(node.counters.signed());
    let is_all = shared.memory.counts().unwrap().signatures == records as u64;
    let is_used = |key: &KeyRow| key.custody == CARD && key.last_leased > 0;
    let slow_used = shared.memory.keys().unwrap().iter().filter(|key| is_used(key)).count();
    Outcome { ended: is_all.then(|| begun.elapsed()), signed, slow_used }
}

const LONG: Duration = Duration::from_secs(200);

#[test]
fn ten_slow_keys_beside_a_hundred_fast_ones_cost_neither_the_rate_nor_the_end() {
    for (batch_size, helps) in [(1000, false), (100, true)] {
        let alone = sign(SEALED, None, batch_size, RECORDS, LONG);
        let beside = sign(SEALED, Some(SLOW), batch_size, RECORDS, LONG);
        let half = Duration::from_secs(6);
        let rate = beside.after(half) / alone.after(half);
        let end = beside.seconds() / alone.seconds();
        println!(
            "measured: batches of {batch_size}: {:.2} s alone, {:.2} s beside slow keys, of which {} signed; rate {rate:.3}, \
             end {end:.3}",
            alone.seconds(),
            beside.seconds(),
            beside.slow_used
        );
        assert!(alone.seconds() < 14.0, "two threads make 8,000 signatures per second");
        assert!(rate >= 0.97, "the rate is {rate:.3} of that without slow keys");
        assert!(end <= 1.05, "it takes {end:.3} of the time without slow keys");
        assert_eq!(
            beside.slow_used > 0,
            helps,
            "a slow key takes a batch where the backlog lasts longer than it"
        );
    }
}

#[test]
fn a_short_run_does_not_wait_for_a_slow_key() {
    for (batch_size, records) in [(1000, 10_000), (100, 10_000), (10, 2000), (1000, 1)] {
        let alone = sign(SEALED, None, batch_size, records, LONG).seconds();
        let beside = sign(SEALED, Some(SLOW), batch_size, records, LONG).seconds();
        assert!(
            beside <= 1.05 * alone,
            "{records} records in batches of {batch_size}: {beside} s, not {alone} s"
        );
    }
}

#[test]
fn a_custodian_that_hangs_for_ever_holds_up_no_other() {
    let limit = Duration::from_secs(9);
    for batch_size in [100, 50] {
        let alone = sign(SEALED, None, batch_size, RECORDS, limit);
        let beside = sign(SEALED, Some(Card { pace: Pace::Hangs, ..SLOW }), batch_size, RECORDS, limit);
        let rate = beside.after(limit) / alone.after(limit);
        println!("measured: batches of {batch_size}: {rate:.3} of the rate beside a custodian that hangs");
        assert!(beside.slow_used > 0, "the custodian was asked to sign");
        assert!(rate >= 0.95, "{rate:.3} of the rate");
    }
}

#[test]
fn slow_keys_sign_everything_where_there_are_no_others() {
    let outcome = sign(0, Some(SLOW), 10, 500, LONG);
    println!("measured: 500 records by ten slow keys alone in {:.2} s", outcome.seconds());
    assert!(outcome.seconds() < 6.5, "ten sessions make 100 signatures per second: {}", outcome.seconds());
}
