//! Lines: each is a payload. No line fills the memory, whatever its length.

use std::io::{BufRead, Read};

use super::{
    flaw::Flaw,
    row::{Malformed, Record, Row, Rows},
    text::{MARK_WITHIN, UTF8_MARK, check_no_nul, unreadable},
};

/// A file of lines.
pub struct Lines<R> {
    input: R,
    max_payload: usize,
    line: u64,
}

impl<R: BufRead> Lines<R> {
    /// Reads `input`.
    pub fn new(input: R, max_payload: usize) -> Self {
        Self { input, max_payload, line: 0 }
    }

    fn payload(&self, line: Line) -> Result<Option<Vec<u8>>, String> {
        match line {
            Line::End => Ok(None),
            Line::TooLong => Err(Flaw::TooLarge(self.max_payload).to_string()),
            Line::Whole(payload) | Line::Last(payload) if payload.starts_with(UTF8_MARK) => {
                Err(MARK_WITHIN.to_owned())
            }
            Line::Whole(payload) => without_nul(payload),
            // Either all line ends are CR, as on the old Macintosh, or the last CR LF was cut.
            Line::Last(payload) if payload.ends_with(b"\r") || self.line == 1 && payload.contains(&b'\r') => {
                Err(LONE_CR.to_owned())
            }
            Line::Last(payload) => without_nul(payload),
        }
    }
}

impl<R: BufRead> Rows for Lines<R> {
    fn next(&mut self) -> Result<Option<Row>, Malformed> {
        self.line += 1;
        let line = read_line(&mut self.input, self.max_payload).map_err(|error| unreadable(&error));
        match line.and_then(|line| self.payload(line)) {
            Ok(payload) => {
                let record = |payload| Record { external_id: None, payload };
                Ok(payload.map(|payload| Row { record: record(payload), line: self.line }))
            }
            Err(reason) => Err(Malformed::new(self.line, &reason)),
        }
    }
}

fn without_nul(payload: Vec<u8>) -> Result<Option<Vec<u8>>, String> {
    check_no_nul(&payload).map(|()| Some(payload)).map_err(|flaw| flaw.to_string())
}

const LONE_CR: &str = "the line ends in CR without LF: convert the line ends with \"tr '\\r' '\\n'\", or give the \
                       payload in jsonl";

/// The result of a read.
pub enum Line {
    /// A line without its end.
    Whole(Vec<u8>),
    /// The last line, which has no line end.
    Last(Vec<u8>),
    /// A line over the limit. None of it is kept.
    TooLong,
    /// The end of the file.
    End,
}

/// Reads a line of up to `max` bytes, not counting its end (LF or CR LF).
pub fn read_line(input: &mut impl BufRead, max: usize) -> std::io::Result<Line> {
    let mut line = Vec::new();
    // Two more bytes than the limit, for the line end.
    let count = input.by_ref().take(max as u64 + 2).read_until(b'\n', &mut line)?;
    if count == 0 {
        return Ok(Line::End);
    }
    let is_whole = line.pop_if(|byte| *byte == b'\n').is_some();
    if is_whole {
        let _ = line.pop_if(|byte| *byte == b'\r');
    }
    Ok(match is_whole {
        _ if line.len() > max => Line::TooLong,
        true => Line::Whole(line),
        false => Line::Last(line),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], max: usize) -> Result<Vec<Vec<u8>>, Malformed> {
        let mut lines = Lines::new(text, max);
        std::iter::from_fn(|| lines.next().transpose()).map(|row| row.map(|row| row.record.payload)).collect()
    }

    #[test]
    fn each_line_is_a_payload_without_its_end() {
        let expected: &[&[u8]] = &[b"a", b"", b"\xff b\r", b"c"];
        assert_eq!(read(b"a\n\n\xff b\r\r\nc", 9).unwrap(), expected);
        assert_eq!(read(b"a\n", 1).unwrap(), [b"a"]);
        assert!(read(b"", 1).unwrap().is_empty());
    }

    #[test]
    fn what_surely_is_no_line_is_refused() {
        for (text, line, reason) in [
            (&b"a\rb\rc\r"[..], 1, "CR without LF"),
            (b"a\rb", 1, "CR without LF"),
            (b"a\r\nb\r", 2, "CR without LF"),
            (b"a\nb\0\nc\n", 2, "NUL"),
            (b"a\n\0", 2, "NUL"),
            (b"a\n\xef\xbb\xbfb\n", 2, "byte order mark"),
        ] {
            let malformed = read(text, 9).unwrap_err();
            assert!(malformed.line == line && malformed.reason.contains(reason), "{malformed:?}");
        }
        assert_eq!(read(b"a\rb\r\nc\rd", 9).unwrap(), [&b"a\rb"[..], b"c\rd"], "a CR within a line stays");
    }

    #[test]
    fn a_line_over_the_limit_is_named_and_one_at_the_limit_is_taken() {
        for end in ["", "\n", "\r\n"] {
            assert_eq!(read(format!("abc{end}").as_bytes(), 3).unwrap(), [b"abc"]);
            assert_eq!(read(format!("x\nabcd{end}").as_bytes(), 3).unwrap_err().line, 2);
        }
        let endless = std::io::BufReader::new(std::io::repeat(b'x'));
        assert_eq!(Lines::new(endless, 1000).next().unwrap_err().reason, Flaw::TooLarge(1000).to_string());
    }
}
