//! Forming batches, in memory.

use super::{MemoryStore, state::State};
use signwave::{
    domain::{BatchId, BatchState, Epoch, Runs},
    store::{BatchRow, Batching, OpenBatches, OpenedBatches, StoreError},
};

impl Batching for MemoryStore {
    fn open_batches(&self, request: OpenBatches) -> Result<OpenedBatches, StoreError> {
        let state = &mut *self.lock();
        let batch_size = request.batch_size.max(1);
        let mut result = OpenedBatches {
            open: state.in_state(BatchState::Open).count(),
            leased: state.in_state(BatchState::Leased).count(),
            ..OpenedBatches::default()
        };
        loop {
            let records: Runs = state.above_frontier().take(batch_size).collect();
            let count = records.len() as usize;
            let is_enough = count == batch_size || request.partial;
            if count == 0 || !is_enough || result.open >= request.keep_open {
                let waiting = (count > 0).then_some(count);
                return Ok(OpenedBatches { waiting, waiting_at_most: state.waiting_at_most(), ..result });
            }
            state.form_batch(records);
            result.opened += 1;
            result.open += 1;
        }
    }
}

impl State {
    fn form_batch(&mut self, records: Runs) {
        let id = BatchId(self.batches.len() as i64 + 1);
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return };
        let row = BatchRow {
            id,
            stored_span: (first, last, records.len()),
            records,
            state: BatchState::Open,
            epoch: Epoch(0),
            key: None,
            node: None,
            scheme: None,
            signed_at: None,
        };
        self.batches.insert(id, row);
        self.times.insert(id, (self.now, None));
    }
}
