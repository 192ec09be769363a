//! The ledger, its anchors and restores as a model: processes with an anchor each, copies that are put back at any moment,
//! losses that are accepted. The product's own code writes, compares and reads the anchors.
//!
//! What is assumed of people: after a restore all anchors are compared with the database before a process works whose own
//! anchor does not have what is missing, nothing is inserted until the database is the newest one again or its loss is
//! accepted, no process is at work while a loss is accepted, and an interrupted accept is finished.

mod accept;
mod database;
mod effects;
mod files;
mod ledgers;
mod mutants;
mod promises;
mod steps;
mod system;

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use stateright::{Checker, HasDiscoveries, Model, Path};
use support::random::count;

use files::Files;
use mutants::Mutant;
use promises::Broken;
use steps::Step;
use system::{Bounds, System};

/// The protocol, as it is or with a mistake.
struct Restoring {
    bounds: Bounds,
    mutant: Option<Mutant>,
    files: Arc<Files>,
}

/// One process, and one copy that is put back once.
const ONE: Bounds = Bounds {
    processes: 1,
    names: 2,
    commits: 2,
    kills: 0,
    losses: 0,
    troubles: 0,
    backups: 1,
    restores: 1,
    accepts: 1,
    resigns: false,
    keys: 0,
};
const TWO: Bounds = Bounds { processes: 2, ..ONE };
/// Two copies, and three incarnations.
const AGAIN: Bounds = Bounds { backups: 2, restores: 2, accepts: 2, ..ONE };

/// The spaces that are searched: few of everything, but all together.
const SEARCHES: [Bounds; 7] = [
    Bounds { kills: 1, losses: 1, keys: 1, ..ONE },
    Bounds { commits: 3, troubles: 1, resigns: true, ..ONE },
    Bounds { keys: 1, resigns: true, ..TWO },
    AGAIN,
    Bounds { names: 3, ..TWO },
    Bounds { commits: 3, kills: 1, losses: 1, troubles: 1, keys: 1, resigns: true, ..ONE },
    Bounds { kills: 1, losses: 1, ..TWO },
];
/// How many of them, from the first on, are searched each time.
const USUAL: usize = 4;

impl Restoring {
    fn new(bounds: Bounds, mutant: Option<Mutant>) -> Self {
        Self { bounds, mutant, files: Arc::new(Files::new()) }
    }
}

#[test]
fn the_ledger_keeps_its_promises_whatever_is_restored() {
    let (mut missing, mut total) = (BTreeSet::from(promises::REACHED.map(|(name, _)| name)), 0);
    for bounds in SEARCHES.into_iter().take(count("TEST_SEARCHES", USUAL)) {
        let started = Instant::now();
        let model = Restoring::new(bounds, None);
        let files = Arc::clone(&model.files);
        let checker = model.checker().threads(2).spawn_bfs().join();
        let (states, asked) = (checker.unique_state_count(), files.asked());
        let (depth, took) = (checker.max_depth(), started.elapsed());
        println!(
            "{states} distinct states of the ledger, {depth} deep, {asked} questions to anchors, {took:.1?}: {bounds:?}"
        );
        total += states;
        if let Some(path) = checker.discovery(promises::KEPT) {
            panic!("{}", story(path));
        }
        missing.retain(|name| checker.discovery(name).is_none());
    }
    assert!(missing.is_empty(), "never reached: {missing:?}");
    assert!(total > 100_000, "too few states to mean much");
}

#[test]
fn every_mistake_with_the_ledger_breaks_a_promise() {
    let mut survivors = Vec::new();
    for (mutant, mistake) in Mutant::ALL {
        let model = Restoring::new(bounds_for(mutant), Some(mutant));
        let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        println!("{mistake}: {} states", checker.unique_state_count());
        match checker.discovery(promises::KEPT) {
            Some(path) => println!("    {}", story(path)),
            None => survivors.push(mutant),
        }
    }
    assert!(survivors.is_empty(), "no promise is broken by {survivors:?}");
}

/// Which promise is broken, and how.
fn story(path: Path<System, Step>) -> String {
    let broken = path.last_state().broken.map(Broken::promise);
    format!("{}, after {:?}", broken.unwrap_or_default(), path.into_actions())
}

/// What it takes for a mistake to show.
fn bounds_for(mutant: Mutant) -> Bounds {
    match mutant {
        Mutant::NoIntent | Mutant::ConfirmedBeforeCommit | Mutant::ReceiptOutsideTheTransaction => {
            Bounds { kills: 1, ..ONE }
        }
        Mutant::ShownBeforeItIsDurable => Bounds { losses: 1, ..ONE },
        Mutant::ComparedBySizeOnly => Bounds { keys: 1, ..ONE },
        Mutant::IdsNotJumped => Bounds { names: 3, ..ONE },
        Mutant::UnknownIsRolledBack => Bounds { commits: 3, troubles: 1, ..ONE },
        Mutant::OnlyConfirmedIsLost => Bounds { commits: 3, kills: 1, ..ONE },
        Mutant::OneAnchorIsAsked => Bounds { commits: 3, ..TWO },
        Mutant::BatchTakenForItsId => AGAIN,
        _ => ONE,
    }
}
