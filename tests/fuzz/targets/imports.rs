//! Files of records.

use std::io::{self, Read};

use data_encoding::BASE64;
use signwave::formats::rows::{Format, Malformed, Row, rows};

/// Small, so that inputs pass it.
const MAX_PAYLOAD: usize = 100;

/// CSV with a header.
pub fn import_csv(bytes: &[u8]) {
    import(Format::Csv, bytes);
}

/// JSON lines.
pub fn import_jsonl(bytes: &[u8]) {
    import(Format::Jsonl, bytes);
}

/// Bare lines.
pub fn import_lines(bytes: &[u8]) {
    import(Format::Lines, bytes);
}

fn import(format: Format, bytes: &[u8]) {
    let (rows, malformed) = read(format, bytes);
    let lines = 1 + bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
    for row in &rows {
        assert!(row.record.payload.len() <= MAX_PAYLOAD && row.line <= lines, "{row:?} of {lines} lines");
        if let Some(id) = &row.record.external_id {
            assert!(!id.is_empty() && id.len() <= 1024 && !id.contains('\0'), "{id:?}");
        }
    }
    assert!(rows.is_sorted_by_key(|row| row.line), "lines in order: {rows:?}");
    if let Some(malformed) = &malformed {
        super::readable(&malformed.reason);
        assert!(malformed.line <= lines && rows.iter().all(|row| row.line <= malformed.line));
    }

    // However the bytes arrive, the rows are the same.
    let pieces = Pieces { bytes, at_a_time: 1 + bytes.len() % 5 };
    assert_eq!(read(format, pieces), (rows.clone(), malformed));

    // What was read is read again from what is written of it.
    let (again, malformed) = read(format, written(format, &rows).as_slice());
    assert_eq!(malformed, None);
    let content = |rows: Vec<Row>| rows.into_iter().map(|row| row.record).collect::<Vec<_>>();
    assert_eq!(content(again), content(rows));

    if bytes.len().is_multiple_of(32) {
        endless(format, bytes);
    }
}

fn read(format: Format, input: impl Read) -> (Vec<Row>, Option<Malformed>) {
    let mut found = Vec::new();
    let mut source = match rows(format, input, MAX_PAYLOAD) {
        Ok(source) => source,
        Err(malformed) => return (found, Some(malformed)),
    };
    loop {
        match source.next() {
            Ok(Some(row)) => found.push(row),
            Ok(None) => return (found, None),
            Err(malformed) => return (found, Some(malformed)),
        }
    }
}

fn written(format: Format, rows: &[Row]) -> Vec<u8> {
    let mut out = Vec::new();
    if format == Format::Csv {
        out.extend(b"external_id,payload_base64\n");
    }
    for row in rows {
        let payload = BASE64.encode(&row.record.payload);
        match format {
            Format::Csv => {
                let id = row.record.external_id.as_deref().unwrap_or_default().replace('"', "\"\"");
                out.extend(format!("\"{id}\",{payload}\n").bytes());
            }
            Format::Jsonl => {
                let object =
                    serde_json::json!({"external_id": row.record.external_id, "payload_base64": payload});
                out.extend(format!("{object}\n").bytes());
            }
            Format::Lines => {
                out.extend(&row.record.payload);
                out.extend(b"\r\n");
            }
        }
    }
    out
}

/// No row makes the reader take in more than a few times the largest payload, and two buffers: not even
/// when the last byte repeats for ever.
fn endless(format: Format, bytes: &[u8]) {
    let Some(&last) = bytes.last().filter(|last| !b"\r\n".contains(last)) else { return };
    let given = std::cell::Cell::new(0);
    let mut input = bytes.chain(io::repeat(last));
    let counted = Counted { input: &mut input, given: &given };
    let Ok(mut rows) = rows(format, counted, MAX_PAYLOAD) else { return };
    let mut before = 0;
    while matches!(rows.next(), Ok(Some(_))) && given.get() <= bytes.len() + (1 << 16) {
        assert!(
            given.get() - before <= 6 * MAX_PAYLOAD + (4 << 16),
            "{} bytes for a row",
            given.get() - before
        );
        before = given.get();
    }
    assert!(given.get() - before <= 6 * MAX_PAYLOAD + (4 << 16), "{} bytes for a row", given.get() - before);
}

/// A pipe that hands out a few bytes at a time.
struct Pieces<'a> {
    bytes: &'a [u8],
    at_a_time: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(self.at_a_time);
        self.bytes.read(&mut buffer[..room])
    }
}

/// Counts what is read.
struct Counted<'a, R> {
    input: &'a mut R,
    given: &'a std::cell::Cell<usize>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.given.set(self.given.get() + count);
        Ok(count)
    }
}
