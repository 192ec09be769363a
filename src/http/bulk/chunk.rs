//! The records of one transaction, each with its line.

use std::mem;

use crate::actors::messages::Incoming;

/// Records in one transaction, at most: as many as in `import`.
const RECORDS: usize = 1000;

/// Bytes after which a chunk is full, so that large payloads do not fill the memory.
const BYTES: usize = 4 << 20;

/// Records that are to be stored together.
#[derive(Default)]
pub struct Chunk {
    records: Vec<Incoming>,
    lines: Vec<u64>,
    bytes: usize,
}

impl Chunk {
    /// Adds the record of a line.
    pub fn add(&mut self, line: u64, record: Incoming) {
        self.bytes += record.payload.len() + record.external_id.as_ref().map_or(0, String::len);
        self.records.push(record);
        self.lines.push(line);
    }

    /// Whether nothing more fits.
    pub fn is_full(&self) -> bool {
        self.records.len() >= RECORDS || self.bytes >= BYTES
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many bytes the records have.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes out the records and their lines.
    pub fn take(&mut self) -> (Vec<Incoming>, Vec<u64>) {
        let Self { records, lines, .. } = mem::take(self);
        (records, lines)
    }
}
