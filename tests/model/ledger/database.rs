//! The database: its rows, and the transactions on them. What was copied can be put back.

use signwave::domain::{BatchId, Epoch, RecordId, Runs};

use super::ledgers::{Entry, Ledger, Ledgers, Value};

/// Records in a full batch.
const BATCH_SIZE: usize = 2;

/// What a record is, whatever its id: the same name is the same payload.
pub type Name = u8;

/// All rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Database {
    pub records: Vec<(RecordId, Name)>,
    /// The sequence of record ids.
    pub next_id: i64,
    pub batches: Vec<Batch>,
    pub ledger: Ledger,
    pub incarnation: u32,
    /// Whether guards refuse to form, lease and sign.
    pub halted: bool,
}

/// A row of `batch`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Batch {
    pub records: Runs,
    pub state: State,
    pub epoch: Epoch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    Open,
    /// By a process.
    Leased(usize),
    Signed(Value),
    /// It was signed, and that was lost: it is never leased again.
    Lost,
}

/// A lease, as its process remembers it. It is signed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    pub batch: BatchId,
    pub epoch: Epoch,
    /// Its signatures, once they were stored in any timeline.
    pub value: Option<Value>,
}

impl Database {
    pub fn new() -> Self {
        Self {
            records: Vec::new(),
            next_id: 1,
            batches: Vec::new(),
            ledger: Ledgers::EMPTY,
            incarnation: 1,
            halted: false,
        }
    }

    pub fn has(&self, name: Name) -> bool {
        self.records.iter().any(|(_, other)| *other == name)
    }

    pub fn name(&self, record: RecordId) -> Option<Name> {
        self.records.iter().find(|(id, _)| *id == record).map(|(_, name)| *name)
    }

    /// The highest id in any batch.
    pub fn frontier(&self) -> RecordId {
        self.batches.iter().filter_map(|batch| batch.records.last()).max().unwrap_or(RecordId(0))
    }

    /// Inserts a record, under the next id that no guard refuses.
    pub fn insert(&mut self, name: Name) -> RecordId {
        let id = RecordId(self.next_id.max(self.frontier().0 + 1));
        self.next_id = id.0 + 1;
        self.records.push((id, name));
        id
    }

    /// Forms a batch of the first records that are in none.
    pub fn form(&mut self) {
        let frontier = self.frontier();
        let waiting = self.records.iter().map(|(id, _)| *id).filter(|id| *id > frontier);
        let records: Runs = waiting.take(BATCH_SIZE).collect();
        if !records.is_empty() {
            self.batches.push(Batch { records, state: State::Open, epoch: Epoch(0) });
        }
    }

    /// Leases the first batch that is open.
    pub fn lease(&mut self, process: usize) -> Option<Held> {
        let place = self.batches.iter().position(|batch| batch.state == State::Open)?;
        let batch = &mut self.batches[place];
        (batch.state, batch.epoch) = (State::Leased(process), batch.epoch.next());
        Some(Held { batch: BatchId(place as i64 + 1), epoch: batch.epoch, value: None })
    }

    /// Gives back what the process before this one held.
    pub fn give_back(&mut self, process: usize) {
        for batch in self.batches.iter_mut().filter(|batch| batch.state == State::Leased(process)) {
            (batch.state, batch.epoch) = (State::Open, batch.epoch.next());
        }
    }

    /// The batch of a lease that stands.
    pub fn under(&self, process: usize, held: &Held) -> Option<&Batch> {
        let batch = self.batches.get(held.batch.0 as usize - 1)?;
        (batch.state == State::Leased(process) && batch.epoch == held.epoch).then_some(batch)
    }

    /// Stores the signatures of a lease that stands.
    pub fn sign(&mut self, held: &Held, value: Value) {
        self.batches[held.batch.0 as usize - 1].state = State::Signed(value);
    }

    /// The entry of a batch.
    pub fn entry(&self, id: BatchId, value: Value) -> Option<Entry> {
        let batch = self.batches.get(id.0 as usize - 1)?;
        Some(Entry::Batch { batch: id, records: batch.records.clone(), epoch: batch.epoch, value })
    }

    pub fn is_in_batch(&self, record: RecordId) -> bool {
        self.batches.iter().any(|batch| batch.records.contains(record))
    }
}
