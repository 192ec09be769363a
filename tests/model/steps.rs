//! What can happen next: every step of processes, of the wire, of the database and of its clients.

use signwave::domain::NodeId;
use stateright::{Model, Property};

use super::{
    database::{RECORDS, Record},
    mutants::Mutant,
    promises,
    system_state::{Bounds, Life, PROCESSES, Phase, SystemState},
};

/// The protocol, as it is or with a mistake.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    pub bounds: Bounds,
    pub mutant: Option<Mutant>,
}

/// One step. Processes and leases are named by their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The transaction that inserted a record ends.
    EndInsert(usize, Record),
    OpenBatch,
    /// A process leases; the reply arrives or is lost.
    Lease(usize, Reply),
    StartSigning(usize),
    EndSigning(usize),
    SendCommit(usize),
    /// A request to commit, that of the given attempt, arrives at the database.
    Commit(usize, u8),
    /// The answer to it arrives.
    Answer(usize),
    /// The connection breaks before it does.
    LoseAnswer(usize),
    ReadBack(usize),
    /// A process gives a lease back that it did not sign.
    SendRelease(usize),
    Release(usize),
    /// A node's lease ran out, by whatever clock, and another process takes away what it holds.
    Reclaim(NodeId),
    /// A process finds itself reclaimed, or does not know what it holds, and becomes another node.
    Reregister(usize),
    Crash(usize),
    Restart(usize),
    Pause(usize),
    Resume(usize),
    /// A client reads all rows that are committed.
    Reveal,
}

/// What becomes of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Arrives,
    Lost,
}

impl Model for Protocol {
    type State = SystemState;
    type Action = Step;

    fn init_states(&self) -> Vec<SystemState> {
        vec![SystemState::new()]
    }

    fn actions(&self, system: &SystemState, steps: &mut Vec<Step>) {
        for record in 0..RECORDS {
            if system.database.records[record] == Record::Invisible {
                steps.push(Step::EndInsert(record, Record::Visible));
                if self.bounds.rollbacks {
                    steps.push(Step::EndInsert(record, Record::RolledBack));
                }
            }
        }
        steps.extend([Step::OpenBatch, Step::Reveal]);
        for process in 0..PROCESSES {
            self.steps_of(process, system, steps);
        }
        for lease in 0..system.leases.len() {
            steps_with(lease, system, steps);
        }
        // A node that never leased anything is nobody's business.
        let nodes = system.database.nodes.iter();
        let known = nodes.filter(|node| system.leases.iter().any(|held| held.node == **node));
        steps.extend(known.map(|node| Step::Reclaim(*node)));
    }

    fn next_state(&self, system: &SystemState, step: Step) -> Option<SystemState> {
        let mut next = system.clone();
        self.take(step, &mut next);
        // What changes nothing is no step.
        (next != *system).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        promises::all(self.mutant)
    }
}

/// What a lease makes possible.
fn steps_with(lease: usize, system: &SystemState, steps: &mut Vec<Step>) {
    let held = &system.leases[lease];
    // The wire and the database go on, whatever the process does.
    steps.extend((0..held.sent).map(|attempt| Step::Commit(lease, attempt)));
    if held.is_given_back {
        steps.push(Step::Release(lease));
    }
    if !system.is_running(held.process) {
        return;
    }
    match held.phase {
        Phase::Leased => steps.extend([Step::StartSigning(lease), Step::SendRelease(lease)]),
        Phase::Signing => steps.extend([Step::EndSigning(lease), Step::SendRelease(lease)]),
        Phase::Signed => steps.push(Step::SendCommit(lease)),
        Phase::Sent | Phase::Resent => steps.extend([Step::LoseAnswer(lease), Step::SendRelease(lease)]),
        Phase::Answered(_) => steps.extend([Step::Answer(lease), Step::LoseAnswer(lease)]),
        Phase::Doubtful => steps.push(Step::ReadBack(lease)),
        _ => {}
    }
}

impl Protocol {
    /// What a process can do by itself.
    fn steps_of(&self, process: usize, system: &SystemState, steps: &mut Vec<Step>) {
        match system.processes[process].life {
            Life::Dead => steps.push(Step::Restart(process)),
            Life::Paused => steps.push(Step::Resume(process)),
            Life::Running => {
                // Processes are named in the order in which they first lease: other names, same story.
                let has_come = |process: usize| {
                    system.leases.iter().any(|held| held.process == process)
                        || system.processes[process].choice.is_some()
                };
                let is_next = process == 0 || has_come(process - 1);
                let is_certain = !system.processes[process].is_uncertain;
                if system.leases.len() < self.bounds.leases && is_next && is_certain {
                    steps.push(Step::Lease(process, Reply::Arrives));
                    if system.lost_leases < self.bounds.lost_leases {
                        steps.push(Step::Lease(process, Reply::Lost));
                    }
                }
                steps.push(Step::Reregister(process));
                // Without a lease, both are the same as doing nothing.
                if system.leases.iter().any(|held| held.process == process && !held.phase.is_settled()) {
                    if system.crashes < self.bounds.crashes {
                        steps.push(Step::Crash(process));
                    }
                    if system.pauses < self.bounds.pauses {
                        steps.push(Step::Pause(process));
                    }
                }
            }
        }
    }
}
