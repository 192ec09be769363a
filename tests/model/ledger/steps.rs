//! What can happen next.

use stateright::{Model, Property};

use super::{
    Restoring,
    database::Name,
    mutants::Mutant,
    promises,
    system::{BACKUPS, Life, PROCESSES, System},
};

/// One step. Processes, copies and records are named by their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Insert(Name),
    Form(usize),
    Lease(usize),
    /// The transaction of a commit, up to its COMMIT.
    Intend(usize),
    Commit(usize),
    /// The COMMIT fails, and says so.
    Fail(usize),
    /// The reply is lost, after the COMMIT or before it.
    LoseReply(usize),
    /// The anchor hears that the commit was made.
    Confirm(usize),
    /// A process renews its lease.
    Renew(usize),
    /// It connects again.
    Connect(usize),
    Start(usize),
    Kill(usize),
    /// The machine loses power. Each file may lose what is not synced.
    LosePower([bool; PROCESSES]),
    BackUp,
    Restore(usize, How),
    /// A command without anchors adds a key.
    AddKey,
    /// `signwave ledger accept`, with or without `--resign-lost`.
    Accept(bool),
    /// What comes after it: the anchor of the old incarnation is set aside, and a new one is begun.
    SetAside(usize),
    /// All that is visible is on the disk; mutants only.
    Flush,
}

/// How a copy is put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Another server or file takes over: processes connect again.
    Anew,
    /// Rows change under the processes that have the file open.
    UnderThem,
}

impl Model for Restoring {
    type State = System;
    type Action = Step;

    fn init_states(&self) -> Vec<System> {
        vec![System::new(&self.files)]
    }

    fn actions(&self, system: &System, steps: &mut Vec<Step>) {
        if system.broken.is_some() || system.is_unnoticeable {
            return;
        }
        self.steps_of_clients(system, steps);
        for process in 0..self.bounds.processes {
            self.steps_of(process, system, steps);
        }
        self.accidents(system, steps);
        let incarnations = || system.processes.iter().map(|me| self.files.incarnation(me.file));
        // An accept that was interrupted is finished before another copy is put back.
        let is_unfinished = incarnations().any(|incarnation| incarnation <= u32::from(system.accepts));
        for copy in 0..system.backups.len() {
            if !is_unfinished
                && system.restores < self.bounds.restores
                && system.backups[copy] != system.database
            {
                steps.push(Step::Restore(copy, How::Anew));
                if !system.is_locked() {
                    steps.push(Step::Restore(copy, How::UnderThem));
                }
            }
        }
        if is_unfinished && !system.is_older(&self.files.ledgers) {
            let next = incarnations().position(|incarnation| incarnation != system.database.incarnation);
            steps.extend(next.map(Step::SetAside));
        }
        if system.is_idle() && system.accepts < self.bounds.accepts {
            steps.push(Step::Accept(false));
            steps.extend(self.bounds.resigns.then_some(Step::Accept(true)));
        }
    }

    fn next_state(&self, system: &System, step: Step) -> Option<System> {
        let mut next = system.clone();
        self.take(step, &mut next);
        // What changes nothing is no step.
        (next != *system).then(|| {
            promises::judge(self, system, step, &mut next);
            next
        })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        promises::all(self)
    }
}

impl Restoring {
    fn steps_of_clients(&self, system: &System, steps: &mut Vec<Step>) {
        let clients = &system.clients;
        let is_older = system.is_older(&self.files.ledgers);
        // Records are named in the order in which they first come. Nothing is inserted into an older database, because its
        // ids are those of others.
        let known = clients.told.iter().map(|(_, name)| name + 1).max().unwrap_or(0);
        let names = 0..(known + 1).min(self.bounds.names);
        let is_missing = |name: &Name| {
            let is_shown = clients.shown.iter().any(|shown| shown.name == *name);
            !is_shown && !system.database.has(*name)
        };
        steps.extend(names.filter(is_missing).filter(|_| !is_older).map(Step::Insert));
        // A command takes longer than a confirmation.
        if is_older && system.keys < self.bounds.keys && !system.database.halted && system.is_idle() {
            steps.push(Step::AddKey);
        }
    }

    /// What a process can do.
    fn steps_of(&self, process: usize, system: &System, steps: &mut Vec<Step>) {
        let me = &system.processes[process];
        let waits = system.waits(process, &self.files);
        if let Some(commit) = me.commit {
            let ends: &[_] = match commit.is_made {
                false => &[Step::Commit(process), Step::Fail(process), Step::LoseReply(process)],
                true => &[Step::Confirm(process), Step::LoseReply(process)],
            };
            let may = |step: &&Step| {
                system.troubles < self.bounds.troubles || matches!(step, Step::Commit(_) | Step::Confirm(_))
            };
            steps.extend(ends.iter().filter(may));
        }
        match me.life {
            Life::Dead => steps.push(Step::Start(process)),
            Life::Away if !waits => steps.push(Step::Connect(process)),
            Life::Away => {}
            Life::AtWork => {
                let is_making = me.commit.is_some_and(|commit| !commit.is_made);
                if !is_making && !self.is(Mutant::ComparedAtStartOnly) {
                    steps.push(Step::Renew(process));
                }
                if me.commit.is_some() || system.database.halted || waits {
                    return;
                }
                // Processes are named in the order in which they first lease: other names, same story.
                let is_next = process == 0 || system.commits > 0 || system.processes[0].held.is_some();
                match me.held {
                    None if is_next => steps.extend([Step::Form(process), Step::Lease(process)]),
                    None => {}
                    Some(_) if system.is_locked() || system.commits == self.bounds.commits => {}
                    Some(_) => steps.push(Step::Intend(process)),
                }
            }
        }
    }

    fn accidents(&self, system: &System, steps: &mut Vec<Step>) {
        if system.kills < self.bounds.kills {
            let alive =
                (0..self.bounds.processes).filter(|process| system.processes[*process].life != Life::Dead);
            steps.extend(alive.map(Step::Kill));
        }
        if system.losses < self.bounds.losses {
            let loses = |process: usize| system.processes[process].file != system.processes[process].synced;
            let [first, second] = [loses(0), loses(1)];
            steps.extend(first.then_some(Step::LosePower([true, false])));
            steps.extend(second.then_some(Step::LosePower([false, true])));
            steps.extend((first && second).then_some(Step::LosePower([true, true])));
            steps.extend(system.disk.is_some().then_some(Step::LosePower([false, false])));
        }
        if system.backups.len() < usize::from(self.bounds.backups).min(BACKUPS)
            && !system.is_older(&self.files.ledgers)
            && system.backups.last() != Some(&system.database)
        {
            steps.push(Step::BackUp);
        }
        steps.extend(system.disk.is_some().then_some(Step::Flush));
    }
}
