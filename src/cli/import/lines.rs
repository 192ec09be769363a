//! Lines: each is a payload. Reading is bounded, whatever the file holds.

use std::io::{BufRead, BufReader, Read};

use super::row::{Malformed, Row, Rows, too_large};

/// A file of lines.
pub struct Lines<R> {
    input: BufReader<R>,
    max_payload: usize,
    line: u64,
}

impl<R: Read> Lines<R> {
    /// Reads `input`.
    pub fn new(input: R, max_payload: usize) -> Self {
        Self { input: BufReader::with_capacity(1 << 16, input), max_payload, line: 0 }
    }
}

impl<R: Read> Rows for Lines<R> {
    fn next(&mut self) -> Result<Option<Row>, Malformed> {
        self.line += 1;
        let line = self.line;
        let refuse = |reason: String| Malformed::new(line, &reason);
        match read_line(&mut self.input, self.max_payload) {
            Ok(Line::End) => Ok(None),
            Ok(Line::TooLong) => Err(refuse(too_large(self.max_payload))),
            Ok(Line::Is(payload)) => Ok(Some(Row { external_id: None, payload, line })),
            Err(error) => Err(refuse(format!("it cannot be read: {error}"))),
        }
    }
}

/// What there was to read.
pub enum Line {
    /// A line without its end.
    Is(Vec<u8>),
    /// More than the limit; nothing of it is kept.
    TooLong,
    /// The end of the file.
    End,
}

/// Reads a line of up to `max` bytes, not counting its end (LF or CR LF).
pub fn read_line(input: &mut impl BufRead, max: usize) -> std::io::Result<Line> {
    let mut line = Vec::new();
    // Two bytes more than the limit: the line's end.
    let count = input.by_ref().take(max as u64 + 2).read_until(b'\n', &mut line)?;
    if count == 0 {
        return Ok(Line::End);
    }
    if line.pop_if(|byte| *byte == b'\n').is_some() {
        let _ = line.pop_if(|byte| *byte == b'\r');
    }
    Ok(if line.len() > max { Line::TooLong } else { Line::Is(line) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], max: usize) -> Result<Vec<Vec<u8>>, Malformed> {
        let mut lines = Lines::new(text, max);
        std::iter::from_fn(|| lines.next().transpose()).map(|row| row.map(|row| row.payload)).collect()
    }

    #[test]
    fn each_line_is_a_payload_without_its_end() {
        let expected: &[&[u8]] = &[b"a", b"", b"\xff b\r", b"c"];
        assert_eq!(read(b"a\n\n\xff b\r\r\nc", 9).unwrap(), expected);
        assert_eq!(read(b"a\n", 1).unwrap(), [b"a"]);
        assert!(read(b"", 1).unwrap().is_empty());
    }

    #[test]
    fn a_line_over_the_limit_is_named_and_one_at_the_limit_is_taken() {
        for end in ["", "\n", "\r\n"] {
            assert_eq!(read(format!("abc{end}").as_bytes(), 3).unwrap(), [b"abc"]);
            assert_eq!(read(format!("x\nabcd{end}").as_bytes(), 3).unwrap_err().line, 2);
        }
        let endless = std::io::repeat(b'x');
        assert_eq!(Lines::new(endless, 1000).next().unwrap_err().reason, too_large(1000));
    }
}
