//! What each step does to the system.

use signwave::domain::RecordId;

use super::{
    Restoring,
    files::{Answer, Attempt, End, Text},
    ledgers::{Entry, Ledger},
    mutants::Mutant,
    steps::{How, Step},
    system::{Commit, Life, Shown, System},
};

impl Restoring {
    pub fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Takes a step.
    pub fn take(&self, step: Step, system: &mut System) {
        match step {
            Step::Insert(name) => {
                let id = system.database.insert(name);
                system.clients.told.push((id, name));
                system.clients.told.sort_unstable();
                system.clients.told.dedup();
            }
            Step::Form(_) => system.database.form(),
            Step::Lease(process) => system.processes[process].held = system.database.lease(process),
            Step::Intend(process) => self.intend(process, system),
            Step::Commit(process) => self.commit(process, system),
            Step::Fail(process) => {
                system.troubles += 1;
                self.end(process, End::RolledBack, system);
            }
            Step::LoseReply(process) => self.lose_reply(process, system),
            Step::Confirm(process) => self.confirm(process, system),
            Step::Renew(process) => self.renew(process, system),
            Step::Connect(process) => {
                if self.is(Mutant::ComparedAtStartOnly) || self.compares(process, false, system) {
                    system.processes[process].life = Life::AtWork;
                }
            }
            Step::Start(process) => {
                if self.compares(process, true, system) && !system.waits(process, &self.files) {
                    system.processes[process].life = Life::AtWork;
                    system.database.give_back(process);
                }
            }
            Step::Kill(process) => {
                system.kills += 1;
                self.die(process, system);
            }
            Step::LosePower(cuts) => {
                system.losses += 1;
                for (process, is_cut) in cuts.into_iter().enumerate() {
                    self.die(process, system);
                    let me = &mut system.processes[process];
                    (me.file, me.synced) = if is_cut { (me.synced, me.synced) } else { (me.file, me.file) };
                }
                if let Some(disk) = system.disk.take() {
                    system.database = disk;
                }
            }
            Step::BackUp => system.backups.push(system.database.clone()),
            Step::Restore(copy, how) => self.restore(copy, how, system),
            Step::AddKey => {
                system.keys += 1;
                system.database.ledger = self.files.ledgers.push(system.database.ledger, Entry::Key);
            }
            Step::Accept(resign) => self.accept(resign, system),
            Step::SetAside(process) => {
                let me = &mut system.processes[process];
                me.file = self.files.begun(system.database.incarnation, system.database.ledger);
                me.synced = me.file;
            }
            Step::Flush => system.disk = None,
        }
    }

    /// Compares the database with the anchor of a process, which remembers what it has. If it differs, it is halted. A
    /// process that starts opens the anchor of the ledger as the database names it.
    fn compares(&self, process: usize, starts: bool, system: &mut System) -> bool {
        let (me, database) = (&mut system.processes[process], &mut system.database);
        if database.halted {
            return false;
        }
        let opened = self.files.incarnation(me.file);
        let incarnation = if starts { database.incarnation } else { opened };
        let answer = match self.mutant {
            Some(Mutant::ComparedBySizeOnly) if self.is_smaller(database.ledger, me.file) => Answer::Differs,
            Some(Mutant::ComparedBySizeOnly) => Answer::Stands(me.file),
            _ => self.files.compare(me.file, incarnation, database.ledger),
        };
        // What waits to be confirmed is not in the anchor yet.
        me.has_compared |= me.commit.is_none();
        match answer {
            Answer::Stands(file) => me.file = file,
            Answer::Differs => database.halted |= !self.is(Mutant::NotHalted),
            Answer::OtherIncarnation => {}
        }
        matches!(answer, Answer::Stands(_)) && !database.halted
    }

    fn is_smaller(&self, ledger: Ledger, file: Text) -> bool {
        let size = self.files.ledgers.size(ledger);
        self.files.evidence(file).iter().any(|head| head.size > size)
    }

    fn intend(&self, process: usize, system: &mut System) {
        let (me, database) = (&mut system.processes[process], &mut system.database);
        let Some(held) = me.held else { return };
        let entry = |value| database.under(process, &held).and_then(|_| database.entry(held.batch, value));
        let value = held.value.unwrap_or(system.commits + 1);
        let Some(entry) = entry(value) else {
            me.held = None; // fenced, or stored by an earlier attempt
            return;
        };
        let (before, incarnation) = (database.ledger, self.files.incarnation(me.file));
        let after = self.files.ledgers.push(before, entry);
        // A file that knows nothing lets everything pass.
        let file = match self.mutant {
            Some(Mutant::ComparedAtStartOnly | Mutant::ComparedBySizeOnly) => self.files.blank(incarnation),
            _ => me.file,
        };
        let end = if self.is(Mutant::ConfirmedBeforeCommit) { End::Committed } else { End::Nothing };
        let attempt = Attempt { file, incarnation, before, after, seen: None, end };
        let answer = match self.mutant {
            Some(Mutant::ComparedBySizeOnly) if self.is_smaller(before, me.file) => Answer::Differs,
            _ => self.files.commit(attempt),
        };
        me.has_compared = true;
        let Answer::Stands(text) = answer else {
            database.halted |= !self.is(Mutant::NotHalted);
            return;
        };
        let commit = Commit { attempt, before: me.file, value, is_made: false };
        if !self.is(Mutant::NoIntent) {
            me.file = self.written(&commit, text);
            me.synced = me.file;
        }
        me.commit = Some(commit);
    }

    /// The file of a process, of which the product has written this.
    fn written(&self, commit: &Commit, text: Text) -> Text {
        if commit.before == commit.attempt.file {
            return text;
        }
        let (before, text) = (self.files.text(commit.before), self.files.text(text));
        let begin = self.files.text(commit.attempt.file).len();
        self.files.keep(&format!("{before}{}", &text[begin..]))
    }

    /// The COMMIT is made, and its reply arrives. Clients see at once what is stored.
    fn commit(&self, process: usize, system: &mut System) {
        let Some(commit) = &mut system.processes[process].commit else { return };
        commit.is_made = true;
        let Commit { attempt, value, .. } = *commit;
        let Some(held) = &mut system.processes[process].held else { return };
        held.value = Some(value);
        let (database, held) = (&mut system.database, *held);
        if self.is(Mutant::ShownBeforeItIsDurable) && system.disk.is_none() {
            system.disk = Some(database.clone());
        }
        database.sign(&held, value);
        if !self.is(Mutant::ReceiptOutsideTheTransaction) {
            database.ledger = attempt.after;
        }
        system.commits += 1;
        let records: Vec<RecordId> = database.batches[held.batch.0 as usize - 1].records.iter().collect();
        for record in records {
            let Some(name) = database.name(record) else { continue };
            system.clients.shown.push(Shown { record, name, batch: held.batch, value });
        }
    }

    /// The anchor hears what became of a commit, and the process goes on.
    fn end(&self, process: usize, end: End, system: &mut System) {
        let me = &mut system.processes[process];
        let Some(commit) = me.commit.take() else { return };
        if commit.attempt.end == End::Nothing
            && !self.is(Mutant::NoIntent)
            && let Answer::Stands(text) = self.files.commit(Attempt { end, ..commit.attempt })
        {
            me.file = self.written(&commit, text);
        }
    }

    fn confirm(&self, process: usize, system: &mut System) {
        let after = system.processes[process].commit.map(|commit| commit.attempt.after);
        if self.is(Mutant::ReceiptOutsideTheTransaction) {
            system.database.ledger = after.unwrap_or(system.database.ledger);
        }
        self.end(process, End::Committed, system);
        system.processes[process].held = None;
        if self.is(Mutant::NoIntent) {
            self.compares(process, false, system);
        }
    }

    fn lose_reply(&self, process: usize, system: &mut System) {
        system.troubles += 1;
        let end = if self.is(Mutant::UnknownIsRolledBack) { End::RolledBack } else { End::Nothing };
        self.end(process, end, system);
        system.processes[process].life = Life::Away;
    }

    /// A process compares. If it waits to confirm a commit, the anchor hears of the database in between.
    fn renew(&self, process: usize, system: &mut System) {
        let (ledger, is_halted) = (system.database.ledger, system.database.halted);
        let is_by_size = self.is(Mutant::ComparedBySizeOnly);
        let me = &mut system.processes[process];
        match &mut me.commit {
            Some(commit) if !is_halted && !is_by_size && !self.is(Mutant::NoIntent) => {
                let attempt = Attempt { seen: Some(ledger), ..commit.attempt };
                if commit.attempt.seen.is_some() {
                    return;
                }
                match self.files.commit(attempt) {
                    Answer::Stands(text) => {
                        commit.attempt = attempt;
                        let commit = *commit;
                        me.file = self.written(&commit, text);
                    }
                    _ => _ = self.compares(process, false, system),
                }
            }
            _ => _ = self.compares(process, false, system),
        }
    }

    fn die(&self, process: usize, system: &mut System) {
        let me = &mut system.processes[process];
        (me.life, me.held, me.commit) = (Life::Dead, None, None);
    }

    fn restore(&self, copy: usize, how: How, system: &mut System) {
        system.restores += 1;
        system.database = system.backups[copy].clone();
        system.disk = None;
        system.is_restored = system.is_older(&self.files.ledgers);
        if !system.is_restored {
            // A copy that lacks only records is not older for an anchor, and gives their ids again.
            let database = &system.database;
            system.clients.told.retain(|(record, _)| database.name(*record).is_some());
        }
        for me in &mut system.processes {
            me.has_compared = !system.is_restored;
            if how == How::Anew && me.life == Life::AtWork {
                me.life = Life::Away;
            }
            // What was not committed is gone, and its process does not know that.
            me.commit = me.commit.filter(|commit| commit.is_made);
        }
    }
}
