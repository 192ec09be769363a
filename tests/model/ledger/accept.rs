//! `signwave ledger accept`: what the product's anchors know of a loss, and the next incarnation.

use signwave::{
    anchors::Loss,
    domain::{BatchId, Epoch, RecordId, Runs},
};

use super::{
    Restoring,
    database::{Batch, Database, State},
    files::Text,
    ledgers::Entry,
    mutants::Mutant,
    system::{Life, Process, Shown, System},
};

/// Beyond all ids that were used: the sequence goes on with a multiple of it.
pub const JUMP: i64 = 100;

impl Restoring {
    /// The transaction. Nothing happens if the anchors do not know all that is missing. No process is at work.
    pub fn accept(&self, resign: bool, system: &mut System) {
        let asked = if self.is(Mutant::OneAnchorIsAsked) { 1 } else { system.processes.len() };
        let anchors: Vec<_> = system.processes[..asked].iter().map(|me| self.counted(me.file)).collect();
        let database = &system.database;
        let Some(loss) = self.files.loss(&anchors, database.incarnation, database.ledger) else { return };
        if !database.fits(&loss) && !self.is(Mutant::BatchTakenForItsId) {
            return;
        }
        system.accepts += 1;
        system.database.accept(&loss, resign, self);
        system.timeline = system.database.ledger;
        for me in &mut system.processes {
            *me = Process { life: Life::Dead, held: None, has_compared: true, ..me.clone() };
        }
        if resign {
            let is_lost = |shown: &Shown| records_of(&loss, shown.batch).is_some();
            let (void, shown) =
                system.clients.shown.iter().partition::<Vec<Shown>, _>(|shown| is_lost(shown));
            system.clients.void.extend(void);
            system.clients.shown = shown;
        }
    }

    /// An anchor as far as it counts.
    fn counted(&self, file: Text) -> Text {
        let text = self.files.text(file);
        match text.lines().last().and_then(|line| line.strip_prefix("H ")?.split(' ').next()) {
            Some(size) if self.is(Mutant::OnlyConfirmedIsLost) => {
                self.files.keep(&format!("{text}X {size}\n"))
            }
            _ => file,
        }
    }
}

impl Database {
    /// Whether its batches are those that were signed, as far as it has them. A copy of another branch can have others.
    fn fits(&self, loss: &Loss) -> bool {
        let rows = || (1..).map(BatchId).zip(&self.batches);
        loss.batches.iter().all(|lost| {
            rows().all(|(id, row)| match id == lost.id {
                true => row.records == lost.records,
                false => !row.records.iter().any(|record| lost.records.contains(record)),
            })
        })
    }

    /// Takes a backup for what it is. No id of a record or a batch that was signed and lost is given again.
    fn accept(&mut self, loss: &Loss, resign: bool, model: &Restoring) {
        let signs_again = resign || model.is(Mutant::LostRecordsSignedAgain);
        let state = if signs_again { State::Open } else { State::Lost };
        for (id, batch) in (1..).map(BatchId).zip(&mut self.batches) {
            let is_lost =
                records_of(loss, id).is_some() || batch.records.iter().any(|record| has(loss, record));
            if is_lost && !matches!(batch.state, State::Signed(_)) {
                batch.epoch = if batch.epoch.0 % 2 == 0 { batch.epoch } else { batch.epoch.next() };
                batch.state = state;
            }
        }
        let last = loss.batches.iter().map(|batch| batch.id.0).max().unwrap_or_default();
        for id in (self.batches.len() as i64 + 1..=last).map(BatchId) {
            match records_of(loss, id) {
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
        if !model.is(Mutant::IdsNotJumped) {
            let used = self.next_id.max(self.frontier().0 + 1);
            self.next_id = (used / JUMP + 1) * JUMP;
        }
        let restored = Entry::Restore { incarnation: self.incarnation + 1, lost: loss.size };
        self.ledger = model.files.ledgers.push(self.ledger, restored);
        self.incarnation += u32::from(!model.is(Mutant::IncarnationKept));
        self.halted = false;
    }

    /// Adds the next batch, which was formed before one that was lost, of the records that exist there.
    fn form_again(&mut self, id: BatchId, loss: &Loss) {
        let later = loss.batches.iter().filter(|other| other.id > id);
        let end = later.filter_map(|other| other.records.first()).min().unwrap_or(RecordId(0));
        let before = self.records.iter().map(|(record, _)| *record).filter(|record| *record < end);
        let records: Runs =
            before.filter(|record| !has(loss, *record) && !self.is_in_batch(*record)).collect();
        let state = if records.is_empty() { State::Lost } else { State::Open };
        self.batches.push(Batch { records, state, epoch: Epoch(0) });
    }

    /// Adds a batch that was lost. Records that are gone cannot be signed.
    fn add_lost(&mut self, records: Runs, state: State) {
        let is_there = !records.is_empty() && records.iter().all(|record| self.name(record).is_some());
        let state = if is_there { state } else { State::Lost };
        self.batches.push(Batch { records, state, epoch: Epoch(0) });
    }
}

/// The records of a batch that is lost.
fn records_of(loss: &Loss, id: BatchId) -> Option<&Runs> {
    loss.batches.iter().find(|batch| batch.id == id).map(|batch| &batch.records)
}

fn has(loss: &Loss, record: RecordId) -> bool {
    loss.batches.iter().any(|batch| batch.records.contains(record))
}
