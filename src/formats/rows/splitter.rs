//! Lines that arrive in pieces, as the body of a request does. What is not a whole line yet is kept, up to a limit.

use bytes::{Buf, Bytes, BytesMut};

use super::text::UTF8_MARK;

/// Cuts pieces of text into lines. A byte order mark before the first line is removed, as `import` does.
pub struct Splitter {
    unread: BytesMut,
    /// How many bytes of `unread` are known to hold no line end.
    searched: usize,
    max_line: usize,
    /// The number of the line that comes next, from 1.
    line: u64,
    is_ended: bool,
}

/// A line over the limit, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong(pub u64);

impl Splitter {
    /// Takes lines of up to `max_line` bytes, not counting their ends (LF or CR LF).
    pub fn new(max_line: usize) -> Self {
        Self { unread: BytesMut::new(), searched: 0, max_line, line: 1, is_ended: false }
    }

    /// Adds the next piece of the text.
    pub fn add(&mut self, piece: &[u8]) {
        self.unread.extend_from_slice(piece);
    }

    /// Notes that the text has ended: what is left is the last line.
    pub fn end(&mut self) {
        self.is_ended = true;
    }

    /// Whether the text has ended.
    pub fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// How much memory the text takes that waits.
    pub fn memory(&self) -> usize {
        self.unread.capacity()
    }

    /// The number of the line that comes next, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next line that is not blank, with its number; `None` until more text comes.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn next(&mut self) -> Result<Option<(u64, Bytes)>, TooLong> {
        if self.line == 1 {
            while self.unread.starts_with(UTF8_MARK) {
                self.unread.advance(UTF8_MARK.len());
                self.searched = 0;
            }
        }
        loop {
            let found = self.unread[self.searched..].iter().position(|byte| *byte == b'\n');
            let mut text = match found.map(|at| self.searched + at) {
                Some(length) => {
                    let text = self.unread.split_to(length);
                    self.unread.advance(1);
                    text
                }
                None if self.is_ended && !self.unread.is_empty() => self.unread.split(),
                // Two more bytes than the limit, for the line end.
                None if self.unread.len() > self.max_line.saturating_add(2) => {
                    return Err(TooLong(self.line));
                }
                None => {
                    self.searched = self.unread.len();
                    return Ok(None);
                }
            };
            self.searched = 0;
            if text.ends_with(b"\r") {
                text.truncate(text.len() - 1);
            }
            if text.len() > self.max_line {
                return Err(TooLong(self.line));
            }
            self.line += 1;
            if !text.trim_ascii().is_empty() {
                return Ok(Some((self.line - 1, text.freeze())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of the text, when it comes in pieces of this size.
    fn lines(text: &[u8], size: usize, max_line: usize) -> Result<Vec<(u64, String)>, TooLong> {
        let (mut splitter, mut lines) = (Splitter::new(max_line), Vec::new());
        let mut take_all = |splitter: &mut Splitter| {
            while let Some((line, text)) = splitter.next()? {
                lines.push((line, String::from_utf8(text.to_vec()).unwrap()));
            }
            Ok(())
        };
        for piece in text.chunks(size) {
            splitter.add(piece);
            take_all(&mut splitter)?;
            assert!(splitter.unread.len() <= max_line + 2 + size);
        }
        splitter.end();
        take_all(&mut splitter)?;
        assert_eq!(splitter.unread.len(), 0);
        Ok(lines)
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        let text = "\u{feff}\u{feff}a\r\n\n \nb\u{feff}b\n\r\nccc".as_bytes();
        let line = |number, text: &str| (number, text.to_owned());
        for size in 1..=text.len() {
            // A mark that comes in two pieces is seen when it is whole.
            let expected = [line(1, "a"), line(4, "b\u{feff}b"), line(6, "ccc")];
            assert_eq!(lines(text, size, 9).unwrap(), expected, "{size}");
        }
        assert_eq!(lines(b"", 1, 9).unwrap(), []);
        assert_eq!(lines(b"a\n", 1, 9).unwrap(), [line(1, "a")]);
    }

    #[test]
    fn a_line_over_the_limit_is_named_before_it_fills_the_memory() {
        for size in [1, 2, 100] {
            for end in ["", "\n", "\r\n"] {
                assert_eq!(lines(format!("x\nabc{end}").as_bytes(), size, 3).unwrap().len(), 2);
                assert_eq!(lines(format!("x\nabcd{end}").as_bytes(), size, 3).unwrap_err(), TooLong(2));
            }
        }
        let mut endless = Splitter::new(1000);
        endless.add(&[b'x'; 1003]);
        assert_eq!(endless.next(), Err(TooLong(1)));
    }
}
