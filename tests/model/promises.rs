//! What must hold in every state, and what must be reachable in some.

use signwave::domain::{BatchState, RecordId};
use stateright::{Expectation, Model, Property};

use super::{
    database::{RECORDS, Record, Signature, index},
    facts,
    mutants::Mutant,
    steps::Protocol,
    system_state::{Held, Life, Phase, Process, SystemState},
};

const AFTER_TROUBLE: &str = "all is signed after a crash and a pause";
const HEALED: &str = "a lost reply to a lease is healed";
const EPOCHS: &str = "the epoch rises at each lease, release and reclaim";

/// Every promise: those that rows can show, by the service's own checker, and those that only somebody who
/// sees everything can judge. Two mutants would be caught by their count of epochs at once: they must show
/// their harm.
pub fn all(mutant: Option<Mutant>) -> Vec<Property<Protocol>> {
    let always = Property::<Protocol>::always;
    let sometimes = Property::<Protocol>::sometimes;
    let mut properties = vec![
        always(facts::ALL, |protocol, system| facts::breaches(*protocol, system).is_empty()),
        always("P2 a process uses a key once at a time", |_, system| one_use_of_a_key(system)),
        always("P3 a batch is signed in one go", |_, system| signed_in_one_go(system)),
        always("P4 a lease that ended stores nothing", |_, system| ended_leases_store_nothing(system)),
        always("P5 a leased batch has a holder", |_, system| leased_batches_have_holders(system)),
        always("who believes it stored is right", |_, system| beliefs_are_right(system)),
    ];
    if !mutant.is_some_and(Mutant::must_show_its_harm) {
        properties.push(always(EPOCHS, |_, system| epochs_count_the_edges(system)));
    }
    if mutant.is_none() {
        properties.extend([
            sometimes("all is signed and shown", |_, system| all_is_shown(system)),
            sometimes(AFTER_TROUBLE, |_, system| {
                system.crashes > 0 && system.pauses > 0 && all_is_shown(system)
            }),
            sometimes("a late record is signed", |_, system| {
                let late = index(RecordId(2));
                system.database.batches.len() > 1
                    && system.database.batches[0].runs.last() == Some(RecordId(RECORDS as i64))
                    && system.database.signatures[late][0].is_some()
            }),
            sometimes("a fence fires", |_, system| is_reached(system, Phase::Fenced)),
            sometimes("an unknown outcome is read back as stored", |_, system| {
                is_reached(system, Phase::ReadBackAsStored)
            }),
            sometimes("an unknown outcome is read back as not stored", |_, system| {
                is_reached(system, Phase::Resent)
            }),
            sometimes("a dead process's commit arrives and stores", |_, system| {
                let is_stored = |row: &Option<Signature>| {
                    row.is_some_and(|row| {
                        system.processes[system.leases[row.lease].process].life == Life::Dead
                    })
                };
                system.database.signatures.iter().flatten().any(is_stored)
            }),
            sometimes(HEALED, |_, system| system.lost_leases > 0 && all_is_shown(system)),
        ]);
    }
    properties
}

/// What takes a pause or a lost reply is not looked for where neither happens.
pub fn needs_more_trouble(name: &str) -> bool {
    [AFTER_TROUBLE, HEALED].contains(&name)
}

/// Whether a discovery of this property is a counterexample.
pub fn is_promise(protocol: Protocol, name: &str) -> bool {
    protocol
        .properties()
        .iter()
        .any(|property| property.name == name && matches!(property.expectation, Expectation::Always))
}

fn one_use_of_a_key(system: &SystemState) -> bool {
    let signing = |held: &&Held| held.phase == Phase::Signing;
    system.leases.iter().filter(signing).all(|held| {
        let same = |other: &&Held| other.process == held.process && other.key == held.key;
        system.leases.iter().filter(signing).filter(same).count() == 1
    })
}

/// One key is not enough: all signatures of a batch are of one lease, and of one attempt.
fn signed_in_one_go(system: &SystemState) -> bool {
    system.database.batches.iter().all(|batch| {
        let mut rows = batch.runs.iter().map(|record| system.database.signatures[index(record)][0]);
        let first = rows.next().flatten();
        rows.all(|row| row == first)
    })
}

fn ended_leases_store_nothing(system: &SystemState) -> bool {
    system.database.signatures.iter().flatten().flatten().all(|row| !system.leases[row.lease].is_ended)
}

/// A lease is in the hands of a running process that knows it or is about to give everything back, or it
/// is of a registered node without a process, which is reclaimed some time.
fn leased_batches_have_holders(system: &SystemState) -> bool {
    system.leases.iter().all(|held| {
        let batch = system.database.batch(held.batch);
        let Some(node) = batch.node else { return batch.state != BatchState::Leased };
        if batch.state != BatchState::Leased || held.is_ended {
            return true;
        }
        let is_his = |process: &&Process| process.life != Life::Dead && process.node == node;
        let owner = system.processes.iter().find(is_his);
        let is_known = owner.is_none_or(|process| process.is_uncertain || !held.phase.is_settled());
        system.database.is_registered(node) && is_known
    })
}

fn beliefs_are_right(system: &SystemState) -> bool {
    system.leases.iter().enumerate().all(|(lease, held)| {
        let batch = system.database.batch(held.batch);
        let is_mine =
            |record| system.database.signatures[index(record)][0].is_some_and(|row| row.lease == lease);
        let is_stored = batch.state == BatchState::Signed && batch.runs.iter().all(is_mine);
        match held.phase {
            Phase::Stored | Phase::ReadBackAsStored => is_stored,
            Phase::Fenced => !is_stored,
            _ => true,
        }
    })
}

/// What a lease number is for: no two moments in the life of a batch share one.
fn epochs_count_the_edges(system: &SystemState) -> bool {
    (1..).zip(&system.database.batches).all(|(id, batch)| {
        let mine = || system.leases.iter().filter(|held| held.batch.0 == id);
        batch.epoch.0 as usize == mine().count() + mine().filter(|held| held.is_ended).count()
    })
}

fn all_is_shown(system: &SystemState) -> bool {
    system.database.records.iter().zip(&system.shown).all(|(record, shown)| match record {
        Record::Visible => shown.is_some(),
        Record::RolledBack => true,
        Record::Invisible => false,
    })
}

fn is_reached(system: &SystemState, phase: Phase) -> bool {
    system.leases.iter().any(|held| held.phase == phase)
}
