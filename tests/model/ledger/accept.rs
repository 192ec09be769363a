//! `signwave ledger accept`: what the anchors know of a loss, and the next incarnation.

use std::collections::{BTreeMap, BTreeSet};

use signwave::{
    anchors::{Claim, Intended, Outcome, Passage},
    domain::{BatchId, Epoch, RecordId, Runs},
};

use super::{
    Restoring,
    database::{Batch, Database, State},
    files::Answer,
    ledgers::Entry,
    mutants::Mutant,
    system::{Life, Process, Shown, System},
};

/// Beyond all ids that were used: the sequence goes on with a multiple of it.
pub const JUMP: i64 = 100;

/// What a database lacks.
struct Loss {
    /// How many entries the ledger has had.
    entries: u64,
    /// In the order of their ids.
    batches: Vec<(BatchId, Runs)>,
}

impl Restoring {
    /// The transaction. Nothing happens if the anchors do not know all that is missing. Nobody is at work.
    pub fn accept(&self, resign: bool, system: &mut System) {
        let asked = if self.is(Mutant::OneAnchorIsAsked) { 1 } else { system.processes.len() };
        let Some(loss) = self.loss(&system.processes[..asked], system) else { return };
        system.accepts += 1;
        system.database.accept(&loss, resign, self);
        system.timeline = system.database.ledger;
        for me in &mut system.processes {
            *me = Process { life: Life::Dead, held: None, has_compared: true, ..me.clone() };
        }
        if resign {
            let is_lost = |shown: &Shown| loss.batches.iter().any(|(id, _)| *id == shown.batch);
            let (void, shown) =
                system.clients.shown.iter().partition::<Vec<Shown>, _>(|shown| is_lost(shown));
            system.clients.void.extend(void);
            system.clients.shown = shown;
        }
    }

    /// What the anchors know, and the database does not have. `None` if it has everything or is another one, or if not each
    /// of the missing entries is known.
    fn loss(&self, processes: &[Process], system: &System) -> Option<Loss> {
        let database = &system.database;
        let (files, kept) = (&self.files, self.files.ledgers.size(database.ledger));
        let root_at = |size| files.ledgers.root_at(database.ledger, size);
        let (mut entries, mut known) = (kept, BTreeMap::<u64, Vec<(bool, Intended)>>::new());
        for me in processes {
            if files.compare(me.file, database.incarnation, database.ledger) == Answer::OtherIncarnation {
                return None;
            }
            for passage in files.passages(me.file).iter() {
                for claim in passage.claims() {
                    let Claim::Head(head) = claim else { continue };
                    entries = entries.max(head.size);
                    if head.size > 0 && head.size <= kept && root_at(head.size) != Some(head.root) {
                        return None;
                    }
                }
                let Passage::Attempt(attempt) = passage else { continue };
                let counts = match attempt.outcome {
                    Outcome::Committed => true,
                    Outcome::RolledBack => false,
                    // It may have been committed.
                    Outcome::Undecided => !self.is(Mutant::OnlyConfirmedIsLost),
                };
                let is_committed = attempt.outcome == Outcome::Committed;
                for entry in attempt.entries.iter().filter(|entry| counts && entry.seq > kept) {
                    known.entry(entry.seq).or_default().push((is_committed, entry.clone()));
                }
            }
        }
        let is_complete = (kept + 1..=entries).all(|seq| known.contains_key(&seq));
        (entries > kept && is_complete).then(|| Loss { entries, batches: batches(known) })
    }
}

impl Database {
    /// Takes a backup for what it is. No id of a record or a batch that was signed and lost is given again.
    fn accept(&mut self, loss: &Loss, resign: bool, model: &Restoring) {
        let signs_again = resign || model.is(Mutant::LostRecordsSignedAgain);
        let state = if signs_again { State::Open } else { State::Lost };
        for (id, batch) in (1..).map(BatchId).zip(&mut self.batches) {
            let is_lost = loss.batch(id).is_some() || batch.records.iter().any(|record| loss.has(record));
            if is_lost && !matches!(batch.state, State::Signed(_)) {
                batch.epoch = if batch.epoch.0 % 2 == 0 { batch.epoch } else { batch.epoch.next() };
                batch.state = state;
            }
        }
        let last = loss.batches.last().map_or(0, |(id, _)| id.0);
        for id in (self.batches.len() as i64 + 1..=last).map(BatchId) {
            match loss.batch(id) {
                None => self.form_again(id, loss),
                Some(records) => {
                    let rest: Runs = records.iter().filter(|record| !self.is_in_batch(*record)).collect();
                    let exists = rest.iter().any(|record| self.name(record).is_some());
                    if exists || !model.is(Mutant::BatchIdsNotTaken) {
                        self.add_lost(rest, state);
                    }
                }
            }
        }
        // A copy of another branch can have other records in a batch of that id.
        let records: BTreeSet<_> = loss.batches.iter().flat_map(|(_, records)| records.iter()).collect();
        let rest: Runs = records.into_iter().filter(|record| !self.is_in_batch(*record)).collect();
        let forgets = [Mutant::BatchTakenForItsId, Mutant::BatchIdsNotTaken].map(|mutant| model.is(mutant));
        if !rest.is_empty() && forgets == [false; 2] {
            self.add_lost(rest, state);
        }
        if !model.is(Mutant::IdsNotJumped) {
            let used = self.next_id.max(self.frontier().0 + 1);
            self.next_id = (used / JUMP + 1) * JUMP;
        }
        let restored = Entry::Restore { incarnation: self.incarnation + 1, lost: loss.entries };
        self.ledger = model.files.ledgers.push(self.ledger, restored);
        self.incarnation += u32::from(!model.is(Mutant::IncarnationKept));
        self.halted = false;
    }

    /// Adds the next batch, which was formed before one that was lost, of the records that exist there.
    fn form_again(&mut self, id: BatchId, loss: &Loss) {
        let later = loss.batches.iter().filter(|(other, _)| *other > id);
        let end = later.filter_map(|(_, records)| records.first()).min().unwrap_or(RecordId(0));
        let before = self.records.iter().map(|(record, _)| *record).filter(|record| *record < end);
        let records: Runs =
            before.filter(|record| !loss.has(*record) && !self.is_in_batch(*record)).collect();
        let state = if records.is_empty() { State::Lost } else { State::Open };
        self.batches.push(Batch { records, state, epoch: Epoch(0) });
    }

    /// Adds a batch that was lost. Nobody can sign records that are gone.
    fn add_lost(&mut self, records: Runs, state: State) {
        let is_there = !records.is_empty() && records.iter().all(|record| self.name(record).is_some());
        let state = if is_there { state } else { State::Lost };
        self.batches.push(Batch { records, state, epoch: Epoch(0) });
    }
}

impl Loss {
    fn batch(&self, id: BatchId) -> Option<&Runs> {
        self.batches.iter().find(|(other, _)| *other == id).map(|(_, records)| records)
    }

    fn has(&self, record: RecordId) -> bool {
        self.batches.iter().any(|(_, records)| records.contains(record))
    }
}

/// The batches of entries. Where one is known to have been committed, others with its number were not.
fn batches(known: BTreeMap<u64, Vec<(bool, Intended)>>) -> Vec<(BatchId, Runs)> {
    let mut batches = BTreeMap::<BatchId, Runs>::new();
    for entries in known.into_values() {
        let is_known = entries.iter().any(|(is_committed, _)| *is_committed);
        for (_, entry) in entries.into_iter().filter(|(is_committed, _)| *is_committed || !is_known) {
            let Some(batch) = entry.batch else { continue };
            let records = batches.entry(batch.id).or_default();
            *records = records.merge(&batch.records);
        }
    }
    batches.into_iter().collect()
}
