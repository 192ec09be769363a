//! What an anchor remembers, read from its end.
//!
//! The last H and the lines behind it say everything, so a file of many years is read as fast as a new one. Only a file
//! without any H, of a node that never commits, is read as a whole.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use super::{
    AnchorError,
    error::LinePlace,
    line::{Line, MAX_LENGTH},
};
use crate::domain::ledger::{Head, Origin};

/// What was in an anchor when it was opened.
pub(super) struct Remembered {
    /// Where the last line ends that counts, as the medium counts: what its writer did not complete comes behind it, such as
    /// part of a line, or entries without their H.
    pub(super) end: u64,
    /// What the database must have.
    pub(super) known: Vec<Head>,
    /// What the database may have: the commit whose outcome the file does not have.
    pub(super) open: Option<Head>,
    /// The incarnation that came after that of this anchor.
    pub(super) succeeded: Option<Origin>,
}

/// Reads the file at `path`, whose first line has `begin` bytes.
pub(super) fn remembered(file: &File, begin: u64, path: &Path) -> Result<Remembered, AnchorError> {
    let damaged = |at| AnchorError::Damaged { anchor: path.into(), at: LinePlace::Byte(at) };
    let read = |end| match scan(file, begin, end) {
        Ok(scanned) => scanned.map_err(damaged),
        Err(error) => Err(AnchorError::io(path, &error)),
    };
    let length = file.metadata().map_err(|error| AnchorError::io(path, &error))?.len();
    match read(length)? {
        Scan::Complete(remembered) => Ok(remembered),
        // What comes behind a hole was never synced, so nothing was committed because of it.
        Scan::Hole(at) => match read(at)? {
            Scan::Complete(remembered) => Ok(remembered),
            Scan::Hole(at) => Err(damaged(at)),
        },
    }
}

enum Scan {
    Complete(Remembered),
    /// A line that begins here is malformed, as a write is that was not synced when the machine died.
    Hole(u64),
}

/// Reads the lines before `end` back to the last H but one. An error inside is where a line is malformed though it was synced.
fn scan(file: &File, begin: u64, end: u64) -> io::Result<Result<Scan, u64>> {
    let mut lines = Backwards::new(file, begin, end)?;
    let (mut found, mut hole) = (Found::default(), None);
    while let Some((at, line)) = lines.next_line()? {
        match std::str::from_utf8(&line).ok().and_then(|line| line.parse().ok()) {
            Some(Line::Intent { .. }) if found.intent.is_some() => break,
            Some(line) if found.add(&line, lines.end_of_last) => {}
            Some(_) => return Ok(Err(at)),
            // An H is synced before anything is written behind it, and what is before it is synced with it.
            None if found.intent.is_none() || found.intent_ends == end => hole = Some(at),
            None => return Ok(Err(at)),
        }
    }
    Ok(match hole {
        Some(at) => Ok(Scan::Hole(at)),
        None => found.remembered(begin).map(Scan::Complete).ok_or(begin), // C or X without H
    })
}

/// What the last lines say, from the last one on.
#[derive(Default)]
pub(super) struct Found {
    end: Option<u64>,
    /// The last C or X: its size, and whether it is a C.
    decided: Option<(u64, bool)>,
    /// The largest S behind the last H.
    seen: Option<Head>,
    /// The last H: its next head, and its previous one.
    intent: Option<(Head, Head)>,
    intent_ends: u64,
    succeeded: Option<Origin>,
}

impl Found {
    /// Adds the line before those that were added, and where it ends; `false` if it cannot be there.
    pub(super) fn add(&mut self, line: &Line, end: u64) -> bool {
        let is_before = self.intent.is_some();
        let is_last = self.end.is_none();
        if !matches!(line, Line::Entry(_)) {
            self.end.get_or_insert(end);
        }
        match *line {
            _ if is_before => {}
            // An H comes right behind its entries.
            Line::Entry(_) => return is_last,
            Line::Succeeded { by } => {
                self.succeeded = Some(by);
                return is_last;
            }
            Line::Noted { .. } => {}
            Line::Seen(head) => self.seen = self.seen.filter(|seen| seen.size >= head.size).or(Some(head)),
            Line::Committed { .. } | Line::RolledBack { .. } if self.decided.is_some() => return false,
            Line::Committed { size } => self.decided = Some((size, true)),
            Line::RolledBack { size } => self.decided = Some((size, false)),
            Line::Intent { next, previous } => {
                (self.intent, self.intent_ends) = (Some((next, previous)), end);
                return self.decided.is_none_or(|(size, _)| size == next.size);
            }
        }
        true
    }

    /// Whether it has the last H.
    pub(super) fn has_intent(&self) -> bool {
        self.intent.is_some()
    }

    /// The sum; `None` if it has a C or X without an H.
    pub(super) fn remembered(self, begin: u64) -> Option<Remembered> {
        let (end, succeeded) = (self.end.unwrap_or(begin), self.succeeded);
        let Some((next, previous)) = self.intent else {
            let known = self.seen.into_iter().collect();
            return self.decided.is_none().then_some(Remembered { end, known, open: None, succeeded });
        };
        let is_committed =
            self.seen == Some(next) || self.decided.is_some_and(|(_, is_committed)| is_committed);
        let head = if is_committed { next } else { previous };
        let seen = self.seen.filter(|seen| *seen != head && seen.size >= head.size);
        let open = Some(next).filter(|_| !is_committed && self.decided.is_none());
        let known = [head].into_iter().chain(seen).collect();
        Some(Remembered { end, known, open, succeeded })
    }
}

/// The complete lines of a file, the last one first.
struct Backwards<'a> {
    file: &'a File,
    begin: u64,
    /// Where the buffer begins in the file.
    at: u64,
    /// Complete lines, but for the beginning of the first one.
    buffer: Vec<u8>,
    /// Where the line that was returned last ends.
    end_of_last: u64,
}

impl<'a> Backwards<'a> {
    const CHUNK: u64 = 64 << 10;

    fn new(file: &'a File, begin: u64, at: u64) -> io::Result<Self> {
        let mut lines = Self { file, begin, at, buffer: Vec::new(), end_of_last: at };
        // What comes after the last LF is no line.
        while !lines.buffer.contains(&b'\n') && lines.extend()? {}
        let end = lines.buffer.iter().rposition(|byte| *byte == b'\n').map_or(0, |lf| lf + 1);
        lines.buffer.truncate(end);
        Ok(lines)
    }

    /// The next line with its place in the file.
    fn next_line(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        loop {
            let Some((_, line)) = self.buffer.split_last() else {
                if self.extend()? {
                    continue;
                }
                return Ok(None);
            };
            let before = line.iter().rposition(|byte| *byte == b'\n').map(|lf| lf + 1);
            if before.is_none() && self.extend()? {
                continue;
            }
            let start = before.unwrap_or(0);
            self.end_of_last = self.at + self.buffer.len() as u64;
            let mut line = self.buffer.split_off(start);
            line.pop();
            return Ok(Some((self.at + start as u64, line)));
        }
    }

    /// Reads what comes before the buffer; `false` if nothing does, or if no line is that long.
    fn extend(&mut self) -> io::Result<bool> {
        let more = (self.at - self.begin).min(Self::CHUNK);
        if more == 0 || self.buffer.len() > MAX_LENGTH {
            return Ok(false);
        }
        let mut chunk = vec![0; more as usize];
        self.file.read_exact_at(&mut chunk, self.at - more)?;
        chunk.append(&mut self.buffer);
        (self.at, self.buffer) = (self.at - more, chunk);
        Ok(true)
    }
}
