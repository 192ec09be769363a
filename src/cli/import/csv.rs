//! CSV (RFC 4180) with a header.

use std::{
    cell::Cell,
    io::{self, Read},
    rc::Rc,
};

use csv::{ByteRecord, Reader};

use super::row::{Malformed, Row, Rows, check_external_id, payload, too_large};

/// A CSV file.
pub struct Csv<R> {
    reader: Reader<Bounded<R>>,
    record: ByteRecord,
    input: Rc<Input>,
    max_payload: usize,
    /// Known once the header is read.
    columns: Option<Columns>,
}

/// Which column is which.
#[derive(Clone, Copy, Debug)]
struct Columns {
    external_id: Option<usize>,
    plain: Option<usize>,
    base64: Option<usize>,
}

impl<R: Read> Csv<R> {
    /// Reads `input`.
    pub fn new(input: R, max_payload: usize) -> Self {
        let state = Rc::new(Input::default());
        let bounded = Bounded { input, state: Rc::clone(&state) };
        let reader = csv::ReaderBuilder::new().buffer_capacity(BUFFER).from_reader(bounded);
        Self { reader, record: ByteRecord::new(), input: state, max_payload, columns: None }
    }

    /// Allows the next row as much as the largest payload may take, every byte a doubled quote, and
    /// room for the rest.
    fn refill(&self) {
        self.input.budget.set(self.max_payload.saturating_mul(2).saturating_add(BUFFER + (1 << 16)));
    }

    fn columns(&mut self) -> Result<Columns, String> {
        if let Some(columns) = self.columns {
            return Ok(columns);
        }
        let mut columns = Columns { external_id: None, plain: None, base64: None };
        for (i, name) in
            self.reader.byte_headers().map_err(|error| reason(&error, self.max_payload))?.iter().enumerate()
        {
            let column = match name {
                b"external_id" => &mut columns.external_id,
                b"payload" => &mut columns.plain,
                b"payload_base64" => &mut columns.base64,
                name => {
                    return Err(format!(
                        "the header names the column '{}': there are external_id, payload and payload_base64",
                        String::from_utf8_lossy(&name[..name.len().min(64)])
                    ));
                }
            };
            if column.replace(i).is_some() {
                return Err(format!("the header names the column '{}' twice", String::from_utf8_lossy(name)));
            }
        }
        if columns.plain.is_some() == columns.base64.is_some() {
            return Err("the header must name one of the columns payload and payload_base64".to_owned());
        }
        self.columns = Some(columns);
        Ok(columns)
    }

    fn read(&mut self, columns: Columns, line: u64) -> Result<Option<Row>, String> {
        if !self
            .reader
            .read_byte_record(&mut self.record)
            .map_err(|error| reason(&error, self.max_payload))?
        {
            return Ok(None);
        }
        let field = |column: Option<usize>| column.and_then(|i| self.record.get(i));
        // CSV cannot tell an empty field from none.
        let external_id = match field(columns.external_id).filter(|id| !id.is_empty()) {
            None => None,
            Some(id) => {
                let id =
                    std::str::from_utf8(id).map_err(|_| "its external_id is not UTF-8 text".to_owned())?;
                check_external_id(id)?;
                Some(id.to_owned())
            }
        };
        let payload = payload(field(columns.plain), field(columns.base64), self.max_payload)?;
        Ok(Some(Row { external_id, payload, line }))
    }
}

impl<R: Read> Rows for Csv<R> {
    fn next(&mut self) -> Result<Option<Row>, Malformed> {
        self.refill();
        let columns = self.columns().map_err(|reason| Malformed::new(1, &reason))?;
        // Between two rows the reader stands before the LF of a CR LF.
        let behind = u64::from(self.input.crlf.get() == Some(true));
        let line = self.reader.position().line() + behind;
        self.read(columns, line).map_err(|reason| Malformed::new(line, &reason))
    }
}

fn reason(error: &csv::Error, max_payload: usize) -> String {
    match error.kind() {
        csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => too_large(max_payload),
        csv::ErrorKind::Io(error) => format!("it cannot be read: {error}"),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} fields where the header has {expected_len}")
        }
        _ => error.to_string(),
    }
}

/// Bytes that the CSV reader reads ahead.
const BUFFER: usize = 1 << 16;

/// What is known of the input.
#[derive(Default)]
struct Input {
    /// Bytes that may still be read for the row at hand.
    budget: Cell<usize>,
    /// Whether its first line ends in CR LF.
    crlf: Cell<Option<bool>>,
}

/// An input that ends with an error when a single row takes too much of it: the CSV reader itself
/// would take a row of any length into memory.
struct Bounded<R> {
    input: R,
    state: Rc<Input>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut count = self.input.read(buffer)?;
        // A pipe may end between CR and LF for now: the first of them are read together.
        let is_split = self.state.crlf.get().is_none() && buffer[..count].ends_with(b"\r");
        if is_split && count < buffer.len() {
            count += self.input.read(&mut buffer[count..=count])?;
        }
        let left = self.state.budget.get().checked_sub(count).ok_or(io::ErrorKind::FileTooLarge)?;
        self.state.budget.set(left);
        if self.state.crlf.get().is_none() {
            let end = buffer[..count].iter().position(|byte| *byte == b'\n');
            self.state.crlf.set(end.map(|end| end > 0 && buffer[end - 1] == b'\r'));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: impl AsRef<[u8]>) -> Result<Vec<Row>, Malformed> {
        let mut rows = Csv::new(text.as_ref(), 10);
        std::iter::from_fn(|| rows.next().transpose()).collect()
    }

    #[test]
    fn fields_become_rows_with_their_lines() {
        let row = |id: Option<&str>, payload: &[u8], line| Row {
            external_id: id.map(str::to_owned),
            payload: payload.to_vec(),
            line,
        };
        for end in ["\n", "\r\n"] {
            let lines = [&b"payload,external_id"[..], b"\"a\nb\",x", b"\xff,", b"\"\"\"\",z"];
            let expected = [row(Some("x"), b"a\nb", 2), row(None, b"\xff", 4), row(Some("z"), b"\"", 5)];
            assert_eq!(read(lines.join(end.as_bytes())).unwrap(), expected);
        }
        assert_eq!(read("payload_base64\n/wA=\n").unwrap(), [row(None, b"\xff\0", 2)]);
        assert!(read("payload\n").unwrap().is_empty());
    }

    #[test]
    fn each_malformed_row_says_what_is_wrong() {
        for (text, line, reason) in [
            ("", 1, "must name one"),
            ("external_id\na\n", 1, "must name one"),
            ("payload,payload_base64\na,YQ==\n", 1, "must name one"),
            ("payload,payload\n", 1, "twice"),
            ("payload,externalid\n", 1, "'externalid'"),
            ("payload\na\nb,c\n", 3, "2 fields"),
            ("payload,external_id\na\n", 2, "1 fields"),
            ("payload_base64\nYQ\n", 2, "not base64"),
            ("payload\n12345678901\n", 2, "larger than 10 bytes"),
        ] {
            let malformed = read(text).unwrap_err();
            assert!(malformed.reason.contains(reason), "{text}: {}", malformed.reason);
            assert_eq!(malformed.line, line, "{text}");
        }
        assert!(read(b"payload,external_id\na,\xff\n").unwrap_err().reason.contains("UTF-8"));
    }

    #[test]
    fn an_endless_row_does_not_fill_the_memory() {
        let endless = io::Cursor::new(b"payload\n\"").chain(io::repeat(b'x'));
        assert_eq!(
            Csv::new(endless, 1000).next().unwrap_err(),
            Malformed { line: 2, reason: too_large(1000) }
        );
    }
}
