//! Pages of an export: as much of all signatures as is read and sent at a time.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    domain::{BatchId, BatchState, RecordId, Runs},
    formats::{
        signatures::{Format, Sink},
        signed::Fingerprints,
    },
    store::{BatchRow, Reading, StoreError},
};

/// How much text a page has, if its last row is not longer.
const BYTES: usize = 256 << 10;
/// How many records are read at a time, at first and at most. What does not fit into a page is read again, so the
/// number follows how many fit.
const FIRST: usize = 16;
const MOST: usize = 1000;
/// How many batches are read at a time.
const BATCHES: usize = 32;

/// All signatures, in the order of their batches, and how far they are written.
pub struct Export {
    sink: Sink<Text>,
    text: Text,
    with_payload: bool,
    /// The last batch that was read.
    after: BatchId,
    /// The batches that were read, each with its first record that is not written.
    batches: VecDeque<(BatchRow, RecordId)>,
    records: usize,
    fingerprints: Fingerprints,
    written: u64,
}

/// A part of an export.
pub struct Page {
    /// The text.
    pub text: Vec<u8>,
    /// How many signatures were written so far, if this is the last page.
    pub total: Option<u64>,
}

impl Export {
    /// An export that has not begun.
    pub fn new(format: Format, with_payload: bool) -> Self {
        let text = Text::default();
        Self {
            sink: Sink::new(format, text.clone(), with_payload).expect("a text in memory can be written"),
            text,
            with_payload,
            after: BatchId(0),
            batches: VecDeque::new(),
            records: FIRST,
            fingerprints: Fingerprints::default(),
            written: 0,
        }
    }

    /// Reads the next page. It is empty where many batches in a row are not signed.
    ///
    /// # Errors
    /// Those of the store; [`StoreError::Corrupt`] when a signature is missing.
    pub fn next(&mut self, store: &dyn Reading) -> Result<Page, StoreError> {
        let mut total = None;
        if self.batches.is_empty() && !self.read_batches(store)? {
            total = Some(self.written);
        }
        while let Some((batch, next)) = self.batches.pop_front() {
            if let Some(rest) = self.write(store, &batch, next)? {
                self.batches.push_front((batch, rest));
            }
            if self.text.len() >= BYTES / 2 {
                break;
            }
        }
        self.sink.flush().map_err(broken)?;
        Ok(Page { text: self.text.take(), total })
    }

    /// Returns whether there were more batches.
    fn read_batches(&mut self, store: &dyn Reading) -> Result<bool, StoreError> {
        let page = store.batches(self.after, BATCHES)?;
        let Some(last) = page.last() else { return Ok(false) };
        self.after = last.id;
        let signed = page.into_iter().filter(|batch| batch.state == BatchState::Signed);
        self.batches.extend(signed.filter_map(|batch| batch.records.first().map(|first| (batch, first))));
        Ok(true)
    }

    /// Writes rows of a batch from the record `next` on. Returns the first record that is not written.
    fn write(
        &mut self,
        store: &dyn Reading,
        batch: &BatchRow,
        next: RecordId,
    ) -> Result<Option<RecordId>, StoreError> {
        let damaged = || StoreError::Corrupt(format!("batch {} lacks its key or scheme", batch.id));
        let incomplete = || StoreError::Corrupt(format!("signatures of batch {} are missing", batch.id));
        let signed = self.fingerprints.signed(store, batch)?.ok_or_else(damaged)?;
        let rest = || batch.records.iter().skip_while(|id| *id < next);
        let records: Runs = rest().take(self.records).collect();
        let (mut left, mut written, mut failed) = (rest().peekable(), 0, None);
        let (sink, text, with_payload) = (&mut self.sink, &self.text, self.with_payload);
        store.read_signed(&records, &mut |row| {
            if failed.is_some() || text.len() >= BYTES {
                return;
            }
            let is_next = left.next_if_eq(&row.record).is_some();
            failed = match signed.row(&row, with_payload).filter(|_| is_next) {
                Some(row) => sink.write(&row).and_then(|()| sink.flush()).map_err(broken).err(),
                None => Some(incomplete()),
            };
            written += 1;
        })?;
        let is_full = text.len() >= BYTES;
        if let Some(error) = failed {
            return Err(error);
        } else if !is_full && written < records.len() {
            return Err(incomplete());
        }
        self.written += written;
        self.records = if is_full { written.max(1) as usize } else { (2 * self.records).min(MOST) };
        Ok(left.next())
    }
}

fn broken(error: io::Error) -> StoreError {
    StoreError::Other(format!("a row cannot be written: {error}"))
}

/// A text in memory. Clones share one text: one clone is written to, and the other is emptied.
#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Text {
    fn len(&self) -> usize {
        self.lock().len()
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
