//! The protocol as a model, every state of it: database, processes, and the wire between them.

mod database;
mod effects;
mod facts;
mod feed;
mod ledger;
mod mutants;
mod promises;
mod steps;
mod system_state;

use std::time::Instant;

use mutants::Mutant;
use stateright::{Checker, Expectation, HasDiscoveries, Model};
use steps::Protocol;
use system_state::Bounds;

/// Few leases, and everything that can go wrong around them.
const WIDE: Bounds = Bounds {
    leases: 2,
    ids: 5,
    keys: 2,
    limit: None,
    crashes: 2,
    pauses: 1,
    lost_leases: 1,
    rollbacks: true,
};
/// More leases, among which batches and keys change hands. One key may sign no more than a full batch.
const DEEP: Bounds = Bounds {
    leases: 3,
    ids: 4,
    keys: 2,
    limit: Some(2),
    crashes: 1,
    pauses: 0,
    lost_leases: 0,
    rollbacks: false,
};
/// Where mistakes show: at the first counterexample the search ends.
const SMALL: Bounds = Bounds {
    leases: 2,
    ids: 4,
    keys: 2,
    limit: None,
    crashes: 1,
    pauses: 0,
    lost_leases: 1,
    rollbacks: true,
};

#[test]
fn every_promise_holds_whatever_goes_wrong() {
    explore(WIDE).assert_properties();
}

#[test]
fn every_promise_holds_in_more_than_a_million_states() {
    let checker = explore(DEEP);
    for property in (Protocol { bounds: DEEP, mutant: None }).properties() {
        match property.expectation {
            Expectation::Sometimes if promises::needs_more_trouble(property.name) => {}
            Expectation::Sometimes => _ = checker.assert_any_discovery(property.name),
            _ => checker.assert_no_discovery(property.name),
        }
    }
    assert!(checker.unique_state_count() > 1_000_000, "too few states to mean much");
}

/// Visits every state within the bounds.
fn explore(bounds: Bounds) -> impl Checker<Protocol> {
    let started = Instant::now();
    let checker = Protocol { bounds, mutant: None }.checker().threads(2).spawn_bfs().join();
    let (states, steps, depth) = (checker.unique_state_count(), checker.state_count(), checker.max_depth());
    println!("{states} distinct states, {steps} steps, {depth} deep, {:.1?}: {bounds:?}", started.elapsed());
    checker
}

#[test]
fn every_mistake_breaks_a_promise() {
    let mut survivors = Vec::new();
    for (mutant, mistake) in Mutant::ALL {
        let protocol = Protocol { bounds: bounds_for(mutant), mutant: Some(mutant) };
        let checker = protocol.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        let states = checker.unique_state_count();
        let mut broken = checker.discoveries();
        broken.retain(|name, _| promises::is_promise(protocol, name));
        if broken.is_empty() {
            survivors.push(mutant);
        }
        println!("{mistake}: {states} states");
        for (name, path) in broken {
            let breaches = facts::breaches(protocol, path.last_state());
            println!("    {name}, after {} steps", path.into_actions().len());
            for breach in breaches.iter().filter(|_| name == facts::ALL) {
                println!("        {}: {breach}", breach.promise());
            }
        }
    }
    assert!(survivors.is_empty(), "no promise is broken by {survivors:?}");
}

fn bounds_for(mutant: Mutant) -> Bounds {
    match mutant {
        // The same key again, in two leases.
        Mutant::KeyUsedTwiceInAProcess => Bounds { keys: 1, ..SMALL },
        Mutant::LimitOfOneBatch => Bounds { keys: 1, limit: Some(2), ..SMALL },
        _ => SMALL,
    }
}
