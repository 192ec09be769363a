//! What must hold in every state, and what must be reachable in some.

use signwave::domain::{BatchState, RecordId};
use stateright::{Expectation, Model, Property};

use super::{
    database::{RECORDS, Record, Signature, index},
    facts,
    mutants::Mutant,
    steps::Protocol,
    world::{Held, Life, Phase, Process, World},
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
        always(facts::ALL, |protocol, world| facts::breaches(protocol.mutant, world).is_empty()),
        always("P2 a process uses a key once at a time", |_, world| one_use_of_a_key(world)),
        always("P3 a batch is signed in one go", |_, world| signed_in_one_go(world)),
        always("P4 a lease that ended stores nothing", |_, world| ended_leases_store_nothing(world)),
        always("P5 a leased batch has a holder", |_, world| leased_batches_have_holders(world)),
        always("who believes it stored is right", |_, world| beliefs_are_right(world)),
    ];
    if !mutant.is_some_and(Mutant::must_show_its_harm) {
        properties.push(always(EPOCHS, |_, world| epochs_count_the_edges(world)));
    }
    if mutant.is_none() {
        properties.extend([
            sometimes("all is signed and shown", |_, world| all_is_shown(world)),
            sometimes(AFTER_TROUBLE, |_, world| world.crashes > 0 && world.pauses > 0 && all_is_shown(world)),
            sometimes("a late record is signed", |_, world| {
                let late = index(RecordId(2));
                world.database.batches.len() > 1
                    && world.database.batches[0].runs.last() == Some(RecordId(RECORDS as i64))
                    && world.database.signatures[late][0].is_some()
            }),
            sometimes("a fence fires", |_, world| is_reached(world, Phase::Fenced)),
            sometimes("an unknown outcome is read back as stored", |_, world| {
                is_reached(world, Phase::ReadBackAsStored)
            }),
            sometimes("an unknown outcome is read back as not stored", |_, world| {
                is_reached(world, Phase::Resent)
            }),
            sometimes("a dead process's commit arrives and stores", |_, world| {
                let is_stored = |row: &Option<Signature>| {
                    row.is_some_and(|row| world.processes[world.leases[row.lease].process].life == Life::Dead)
                };
                world.database.signatures.iter().flatten().any(is_stored)
            }),
            sometimes(HEALED, |_, world| world.lost_leases > 0 && all_is_shown(world)),
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

fn one_use_of_a_key(world: &World) -> bool {
    let signing = |held: &&Held| held.phase == Phase::Signing;
    world.leases.iter().filter(signing).all(|held| {
        let same = |other: &&Held| other.process == held.process && other.key == held.key;
        world.leases.iter().filter(signing).filter(same).count() == 1
    })
}

/// One key is not enough: all signatures of a batch are of one lease, and of one attempt.
fn signed_in_one_go(world: &World) -> bool {
    world.database.batches.iter().all(|batch| {
        let mut rows = batch.runs.iter().map(|record| world.database.signatures[index(record)][0]);
        let first = rows.next().flatten();
        rows.all(|row| row == first)
    })
}

fn ended_leases_store_nothing(world: &World) -> bool {
    world.database.signatures.iter().flatten().flatten().all(|row| !world.leases[row.lease].is_ended)
}

/// A lease is in the hands of a running process that knows it or is about to give everything back, or it
/// is of a registered node without a process, which is reclaimed some time.
fn leased_batches_have_holders(world: &World) -> bool {
    world.leases.iter().all(|held| {
        let batch = world.database.batch(held.batch);
        let Some(node) = batch.node else { return batch.state != BatchState::Leased };
        if batch.state != BatchState::Leased || held.is_ended {
            return true;
        }
        let is_his = |process: &&Process| process.life != Life::Dead && process.node == node;
        let owner = world.processes.iter().find(is_his);
        let is_known = owner.is_none_or(|process| process.is_uncertain || !held.phase.is_settled());
        world.database.is_registered(node) && is_known
    })
}

fn beliefs_are_right(world: &World) -> bool {
    world.leases.iter().enumerate().all(|(lease, held)| {
        let batch = world.database.batch(held.batch);
        let is_mine =
            |record| world.database.signatures[index(record)][0].is_some_and(|row| row.lease == lease);
        let is_stored = batch.state == BatchState::Signed && batch.runs.iter().all(is_mine);
        match held.phase {
            Phase::Stored | Phase::ReadBackAsStored => is_stored,
            Phase::Fenced => !is_stored,
            _ => true,
        }
    })
}

/// What a lease number is for: no two moments in the life of a batch share one.
fn epochs_count_the_edges(world: &World) -> bool {
    (1..).zip(&world.database.batches).all(|(id, batch)| {
        let mine = || world.leases.iter().filter(|held| held.batch.0 == id);
        batch.epoch.0 as usize == mine().count() + mine().filter(|held| held.is_ended).count()
    })
}

fn all_is_shown(world: &World) -> bool {
    world.database.records.iter().zip(&world.shown).all(|(record, shown)| match record {
        Record::Visible => shown.is_some(),
        Record::RolledBack => true,
        Record::Invisible => false,
    })
}

fn is_reached(world: &World, phase: Phase) -> bool {
    world.leases.iter().any(|held| held.phase == phase)
}
