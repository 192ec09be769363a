//! What can happen, and how often.

use proptest::{collection::vec, prelude::*, sample::select, strategy::Union};
use signwave::{
    domain::{BatchState, KeyState},
    store::OnConflict,
};

use super::reference::{Lease, PROCESSES, Record, Reference};

/// One step. Processes and leases are named by their index, keys by their number.
#[derive(Clone, Debug)]
pub enum Step {
    Insert(Vec<Record>, OnConflict),
    /// Somebody else inserts a record, and leaves out so many ids before it.
    InsertBeyond(i64),
    OpenBatches {
        batch_size: usize,
        keep_open: usize,
        partial: bool,
    },
    /// A process becomes another node.
    Register(usize),
    Renew(usize),
    /// It leaves in order.
    Remove(usize),
    /// It dies.
    Crash(usize),
    Lease {
        process: usize,
        limit: usize,
    },
    /// A process sends signatures for leases, its own or others', for each those of an attempt.
    Commit(usize, Vec<(usize, u8)>),
    ReadBack(usize, Vec<usize>),
    Release(usize, Vec<usize>),
    /// So many minutes.
    LetTimePass(u32),
    /// A process looks for the dead; or somebody does who is no node.
    Reclaim(Option<usize>),
    AddKey,
    SetKeyState(usize, KeyState),
    /// The most signatures of a key.
    SetLimit(usize, Option<usize>),
    SetTime(usize, KeyTime),
}

/// When a key may sign: only long after a test, only long before it, or now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyTime {
    Later,
    Over,
    Now,
}

/// Where histories begin.
pub fn start(one_host: bool) -> BoxedStrategy<Reference> {
    (0..=3_usize, 0..=12_usize)
        .prop_map(move |(keys, records)| Reference::new(one_host, keys, records))
        .boxed()
}

/// The next step. What is likely is what leads somewhere; what is not is there as well.
pub fn next(reference: &Reference) -> BoxedStrategy<Step> {
    let process = || 0..PROCESSES;
    let name = prop_oneof![Just(None), (0..4_u8).prop_map(Some)];
    let record = (name, 0..2_u8).prop_map(|(name, payload)| Record { name, payload });
    let on_conflict = select(vec![OnConflict::Stop, OnConflict::Continue]);
    let mut steps = vec![
        (3, (vec(record, 0..6), on_conflict).prop_map(|(them, then)| Step::Insert(them, then)).boxed()),
        (1, (0..3_i64).prop_map(Step::InsertBeyond).boxed()),
        (4, open_batches()),
        (3, process().prop_map(Step::Register).boxed()),
        (1, process().prop_map(Step::Renew).boxed()),
        (1, process().prop_map(Step::Remove).boxed()),
        (1, process().prop_map(Step::Crash).boxed()),
        (6, (process(), 0..4_usize).prop_map(|(process, limit)| Step::Lease { process, limit }).boxed()),
        (2, (1..4_u32).prop_map(Step::LetTimePass).boxed()),
        (2, proptest::option::of(process()).prop_map(Step::Reclaim).boxed()),
        (1, (1..5_usize, key_state()).prop_map(|(key, state)| Step::SetKeyState(key, state)).boxed()),
        (1, (1..5_usize, limit()).prop_map(|(key, limit)| Step::SetLimit(key, limit)).boxed()),
        (1, (1..5_usize, key_time()).prop_map(|(key, time)| Step::SetTime(key, time)).boxed()),
    ];
    if reference.keys.len() < 4 {
        steps.push((1, Just(Step::AddKey).boxed()));
    }
    if !reference.leases.is_empty() {
        let lease = || lease(reference);
        let signed = (lease(), 0..2_u8);
        steps.extend([
            (6, (process(), vec(signed, 1..4)).prop_map(|(by, leases)| Step::Commit(by, leases)).boxed()),
            (1, (process(), vec(lease(), 0..4)).prop_map(|(by, leases)| Step::ReadBack(by, leases)).boxed()),
            (3, (process(), vec(lease(), 0..4)).prop_map(|(by, leases)| Step::Release(by, leases)).boxed()),
        ]);
    }
    Union::new_weighted(steps).boxed()
}

fn open_batches() -> BoxedStrategy<Step> {
    let sizes = (1..6_usize, 0..5_usize, any::<bool>());
    sizes
        .prop_map(|(batch_size, keep_open, partial)| Step::OpenBatches { batch_size, keep_open, partial })
        .boxed()
}

fn key_state() -> impl Strategy<Value = KeyState> {
    prop_oneof![
        4 => Just(KeyState::Active),
        2 => Just(KeyState::Disabled),
        2 => Just(KeyState::Suspended),
        1 => Just(KeyState::Retired),
    ]
}

fn limit() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![1 => Just(None), 3 => (1..12_usize).prop_map(Some)]
}

fn key_time() -> impl Strategy<Value = KeyTime> {
    prop_oneof![1 => Just(KeyTime::Later), 1 => Just(KeyTime::Over), 3 => Just(KeyTime::Now)]
}

/// Any lease that was ever given; most often one that stands, or one whose batch somebody else has now.
fn lease(reference: &Reference) -> BoxedStrategy<usize> {
    let of_leased = |stands: bool| {
        let is_one = move |lease: &Lease| {
            let batch = reference.batch(lease);
            batch.state == BatchState::Leased && (batch.epoch == lease.epoch) == stands
        };
        let leases = (0..).zip(&reference.leases);
        leases.filter(move |(_, lease)| is_one(lease)).map(|(index, _)| index).collect::<Vec<usize>>()
    };
    let mut leases = vec![(2, (0..reference.leases.len()).boxed())];
    for (weight, some) in [(3, of_leased(true)), (3, of_leased(false))] {
        if !some.is_empty() {
            leases.push((weight, select(some).boxed()));
        }
    }
    Union::new_weighted(leases).boxed()
}

/// Whether a step can still be taken when steps before it were left out.
pub fn is_possible(reference: &Reference, step: &Step) -> bool {
    let is_given = |lease: &usize| *lease < reference.leases.len();
    match step {
        Step::Commit(_, leases) => leases.iter().all(|(lease, _)| is_given(lease)),
        Step::ReadBack(_, leases) | Step::Release(_, leases) => leases.iter().all(is_given),
        _ => true,
    }
}
