//! The grammar of CSV, strictly as in RFC 4180, section 2. A row in another dialect is refused, and never guessed.
//!
//! The crate `csv` would accept any input: an unclosed quote takes in the rest of the file, and text after a
//! closing quote becomes part of the field.

use std::io::{BufRead, ErrorKind};

use super::{
    flaw::NUL,
    row::Malformed,
    text::{MARK_WITHIN, UTF8_MARK, unreadable},
};

/// Reads rows of fields. Lines are counted by their LF, also within quotes.
pub struct Fields<R> {
    input: R,
    /// The line of the byte that comes next, from 1.
    line: u64,
    /// The row that was read last. Its buffers are reused.
    fields: Vec<Vec<u8>>,
    count: usize,
}

/// The result of a read.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A row, which begins on this line.
    Row(u64),
    /// An empty line: it may mean one empty field, or nothing.
    Blank(u64),
    /// The end of the file.
    End,
}

/// The most that a row may have.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Fields.
    pub fields: usize,
    /// Bytes in all fields together.
    pub bytes: usize,
}

/// Where in the grammar the reader is.
#[derive(Clone, Copy)]
enum State {
    /// Before a field.
    Start,
    /// In a field without quotes.
    Plain,
    /// In a field whose quote opened on this line.
    Quoted(u64),
    /// After a quote in a quoted field: the end of the field, or the first half of a doubled quote.
    Quote(u64),
    /// After a CR at the end of a row.
    Cr,
}

impl<R: BufRead> Fields<R> {
    /// Reads `input`.
    pub fn new(input: R) -> Self {
        Self { input, line: 1, fields: Vec::new(), count: 0 }
    }

    /// The fields of the row that was read last.
    pub fn row(&self) -> &[Vec<u8>] {
        &self.fields[..self.count]
    }

    /// Reads the next row. `too_long` makes the error for a row with too many bytes.
    pub fn read(&mut self, limits: Limits, too_long: impl Fn() -> String) -> Result<Found, Malformed> {
        let refuse = |line, reason: &str| Err(Malformed::new(line, reason));
        let begun = self.line;
        let (mut state, mut is_quoted, mut left) = (State::Start, false, limits.bytes);
        self.count = 0;
        self.begin_field();
        loop {
            let Some(byte) = self.next_byte()? else {
                return match state {
                    State::Start if self.count == 1 => Ok(Found::End),
                    State::Quoted(opened) => refuse(opened, UNCLOSED),
                    State::Cr => refuse(self.line, LONE_CR),
                    State::Start | State::Plain | State::Quote(_) => Ok(Found::Row(begun)),
                };
            };
            state = match (state, byte) {
                (_, 0) => return refuse(self.line, NUL),
                (State::Start, b'"') => {
                    is_quoted = true;
                    State::Quoted(self.line)
                }
                (State::Plain, b'"') => return refuse(self.line, self.quote_within()),
                (State::Quoted(opened), b'"') => State::Quote(opened),
                (State::Quoted(opened), _) | (State::Quote(opened), b'"') => {
                    let or_unclosed = || format!("{}, or close the quote that opens here", too_long());
                    left = left.checked_sub(1).ok_or_else(|| Malformed::new(opened, &or_unclosed()))?;
                    self.push(byte);
                    State::Quoted(opened)
                }
                (State::Start | State::Plain | State::Quote(_), b',') => {
                    if self.count == limits.fields {
                        return refuse(begun, &too_many(limits.fields));
                    }
                    self.begin_field();
                    State::Start
                }
                (State::Start | State::Plain | State::Quote(_) | State::Cr, b'\n') => {
                    self.line += 1;
                    let is_blank = !is_quoted && self.row() == [b""];
                    return Ok(if is_blank { Found::Blank(begun) } else { Found::Row(begun) });
                }
                (State::Cr, _) => return refuse(self.line, LONE_CR),
                (State::Start | State::Plain | State::Quote(_), b'\r') => State::Cr,
                (State::Quote(opened), _) => return refuse(self.line, &self.behind_quote(opened)),
                (State::Start | State::Plain, _) => {
                    left = left.checked_sub(1).ok_or_else(|| Malformed::new(begun, &too_long()))?;
                    self.push(byte);
                    if self.count == 1 && self.field() == UTF8_MARK {
                        return refuse(begun, MARK_WITHIN);
                    }
                    State::Plain
                }
            };
        }
    }

    fn next_byte(&mut self) -> Result<Option<u8>, Malformed> {
        let unread = loop {
            match self.input.fill_buf() {
                Ok(unread) => break unread.first().copied(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Malformed::new(self.line, &unreadable(&error))),
            }
        };
        self.input.consume(usize::from(unread.is_some()));
        Ok(unread)
    }

    fn begin_field(&mut self) {
        self.count += 1;
        match self.fields.get_mut(self.count - 1) {
            Some(field) => field.clear(),
            None => self.fields.push(Vec::new()),
        }
    }

    fn push(&mut self, byte: u8) {
        self.line += u64::from(byte == b'\n');
        self.fields[self.count - 1].push(byte);
    }

    /// The field at hand.
    fn field(&self) -> &[u8] {
        &self.fields[self.count - 1]
    }

    fn quote_within(&self) -> &'static str {
        if self.field().ends_with(b"\\") {
            "a backslash does not escape a quote in CSV: put the field in quotes, and write each quote in it twice"
        } else if self.field().trim_ascii().is_empty() {
            "a quote follows a space: remove the space between the comma and the quote"
        } else {
            "a quote stands in a field that does not begin with one: put the field in quotes, and write each \
             quote in it twice"
        }
    }

    fn behind_quote(&self, opened: u64) -> String {
        let mut reason = "only a comma or a line end may follow a closing quote".to_owned();
        if opened < self.line {
            reason.push_str(&format!(": close the quote that opens on line {opened}"));
        } else if self.field().ends_with(b"\\") {
            reason.push_str(": a backslash does not escape a quote, write the quote twice");
        } else {
            reason.push_str(": separate the columns by commas, and write a quote within a field twice");
        }
        reason
    }
}

const UNCLOSED: &str =
    "the quote that opens here never closes: close it, or write a quote within a field twice";
const LONE_CR: &str = "a CR without LF is no line end in CSV: convert the line ends with \"tr '\\r' '\\n'\", or put \
                       the field in quotes";

fn too_many(fields: usize) -> String {
    format!("the row has more fields than the {fields} of the header: put a field with commas in quotes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { fields: 3, bytes: 20 };

    fn read(text: &str) -> Result<Vec<(u64, Vec<String>)>, Malformed> {
        let (mut fields, mut rows) = (Fields::new(text.as_bytes()), Vec::new());
        loop {
            let line = match fields.read(LIMITS, || "too long".to_owned())? {
                Found::Row(line) => line,
                Found::Blank(line) => {
                    rows.push((line, Vec::new()));
                    continue;
                }
                Found::End => return Ok(rows),
            };
            let row = fields.row().iter().map(|field| String::from_utf8(field.clone()).unwrap());
            rows.push((line, row.collect()));
        }
    }

    #[test]
    fn every_form_of_a_field_is_read_as_it_was_written() {
        let text = "a,\"b\",\"c \"\"d\"\"\"\r\n\r\n, ,\n\"\n\"\n\"e,\r\n\r\",'f',\"g\\\"\n\n\"\",h";
        let row = |line, fields: &[&str]| (line, fields.iter().map(|field| field.to_string()).collect());
        let expected = [
            row(1, &["a", "b", "c \"d\""]),
            row(2, &[]),
            row(3, &["", " ", ""]),
            row(4, &["\n"]),
            row(6, &["e,\r\n\r", "'f'", "g\\"]),
            row(8, &[]),
            row(9, &["", "h"]),
        ];
        assert_eq!(read(text).unwrap(), expected);
        for end in ["a,\u{feff}", "\"\u{feff}\"", "a,", "\"\"", "a", "\"a\"", "a\n", "\n"] {
            assert_eq!(read(end).unwrap().len(), 1, "{end:?}");
        }
        assert_eq!(read("").unwrap(), []);
    }

    #[test]
    fn every_other_dialect_is_refused_on_the_line_to_mend() {
        for (text, line, reason) in [
            ("a\n\"b\nc\nd", 2, "never closes"),
            ("\"a\n\",\"b\n", 2, "never closes"),
            ("\"a\nb,\"c\"\n", 2, "close the quote that opens on line 1"),
            ("\"7\" pipe\n", 1, "write a quote within a field twice"),
            ("\"a\";\"b\"\n", 1, "separate the columns by commas"),
            ("\"a\\\"b\"\n", 1, "may follow a closing quote: a backslash"),
            ("\"a\" ,b\n", 1, "may follow a closing quote"),
            ("a,\"b\"c\n", 1, "may follow a closing quote"),
            ("a\\\"b\n", 1, "a backslash does not escape"),
            ("a, \"b\"\n", 1, "remove the space"),
            ("a\n7\" pipe\n", 2, "does not begin with one"),
            ("a\rb\n", 1, "CR without LF"),
            ("a\n\"b\"\r", 2, "CR without LF"),
            ("a\n\"b\n\0\"", 3, "NUL"),
            ("a\n\u{feff}b\n", 2, "byte order mark"),
            ("a\n\u{feff}\"b\"\n", 2, "byte order mark"),
            ("\na,b,c,d\n", 2, "more fields than the 3"),
            ("\n\"123456789\n123456789\",00\n", 2, "too long"),
            ("\na,\"123456789\n12345678901\"\n", 2, "or close the quote that opens here"),
        ] {
            let malformed = read(text).unwrap_err();
            assert!(malformed.reason.contains(reason), "{text:?}: {}", malformed.reason);
            assert_eq!(malformed.line, line, "{text:?}");
        }
    }
}
