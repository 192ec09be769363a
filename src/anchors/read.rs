//! What an anchor says, from its beginning.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take},
    path::{Path, PathBuf},
};

use super::{
    AnchorError,
    anchor_file::first_line,
    line::{BadLine, Intended, Line, MAX_LENGTH, origin_of},
    tail::remembered,
};
use crate::domain::ledger::{Head, Origin};

/// Something that an anchor says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    /// A commit was about to be made.
    Attempt(Attempt),
    /// The database had this head.
    Seen(Head),
    /// The database had this entry, which is no batch.
    Noted(Intended),
}

/// A commit that was about to be made, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What it would append, in the order of the ledger.
    pub entries: Vec<Intended>,
    /// What the ledger was before. That was committed.
    pub previous: Head,
    /// What the ledger would be.
    pub next: Head,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was made.
    Committed,
    /// It was not made.
    RolledBack,
    /// The anchor does not say. It was made if the ledger has its root at its size.
    Undecided,
}

/// Reads an anchor from its beginning, without changing it and without waiting for a process that writes it. What such a
/// process had not completed when the anchor was opened is left out. It takes as much memory as the largest commit needs.
pub struct Reader {
    path: PathBuf,
    origin: Origin,
    succeeded: Option<Origin>,
    lines: BufReader<Take<File>>,
    /// Where the next line begins.
    at: u64,
    entries: Vec<Intended>,
    /// What is returned when the lines behind it have said what became of it.
    attempt: Option<Attempt>,
    is_over: bool,
}

/// Opens an anchor to read it.
///
/// # Errors
/// When it cannot be read, or is none.
pub fn read(path: &Path) -> Result<Reader, AnchorError> {
    let failed = |error: io::Error| AnchorError::io(path, &error);
    let mut file = File::open(path).map_err(|error| AnchorError::opening(path, &error))?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(AnchorError::NotAFile(path.to_owned()));
    }
    let line = first_line(&file).map_err(failed)?;
    let origin = line.strip_suffix('\n').and_then(origin_of);
    let origin = origin.ok_or_else(|| AnchorError::NotAnAnchor(path.to_owned()))?;
    let at = file.seek(SeekFrom::Start(line.len() as u64)).map_err(failed)?;
    let remembered = remembered(&file, at, path)?;
    let (end, succeeded) = (remembered.end, remembered.succeeded);
    let (path, lines) = (path.to_owned(), BufReader::new(file.take(end - at)));
    Ok(Reader { path, origin, succeeded, lines, at, entries: Vec::new(), attempt: None, is_over: false })
}

impl Reader {
    /// Whose anchor it is.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The incarnation that came after that of this anchor.
    pub fn succeeded(&self) -> Option<Origin> {
        self.succeeded
    }

    /// The next line with its place; `None` at the end.
    fn next_line(&mut self) -> Result<Option<(u64, Line)>, AnchorError> {
        let (mut line, at) = (Vec::new(), self.at);
        let read = self.lines.by_ref().take(MAX_LENGTH as u64 + 1).read_until(b'\n', &mut line);
        self.at += read.map_err(|error| AnchorError::io(&self.path, &error))? as u64;
        if line.pop() != Some(b'\n') {
            return if line.len() < MAX_LENGTH { Ok(None) } else { Err(self.damaged(at)) };
        }
        let line = std::str::from_utf8(&line).ok().and_then(|line| line.parse().ok());
        line.map(|line| Some((at, line))).ok_or_else(|| self.damaged(at))
    }

    fn damaged(&self, at: u64) -> AnchorError {
        AnchorError::Damaged { path: self.path.clone(), at }
    }

    /// Takes a line. Returns what is complete with it.
    fn take(&mut self, line: Line) -> Result<Option<Passage>, BadLine> {
        let is_between = self.entries.is_empty();
        match line {
            Line::Entry(entry) if self.entries.last().is_none_or(|last| last.seq + 1 == entry.seq) => {
                self.entries.push(entry);
                Ok(None)
            }
            Line::Intent { next, previous } => Ok(self.intend(next, previous)?.map(Passage::Attempt)),
            Line::Committed { size } if is_between => self.decide(size, Outcome::Committed).map(|()| None),
            Line::RolledBack { size } if is_between => self.decide(size, Outcome::RolledBack).map(|()| None),
            Line::Seen(head) if is_between => {
                if let Some(attempt) = self.undecided().filter(|attempt| attempt.next == head) {
                    attempt.outcome = Outcome::Committed;
                }
                Ok(Some(Passage::Seen(head)))
            }
            Line::Noted { seq, entry } if is_between => Ok(Some(Passage::Noted(Intended::other(seq, entry)))),
            Line::Succeeded { .. } if is_between => Ok(None),
            _ => Err(BadLine),
        }
    }

    /// Begins an attempt, and returns the one before. Whether that was committed shows in the previous head of this.
    fn intend(&mut self, next: Head, previous: Head) -> Result<Option<Attempt>, BadLine> {
        let entries = std::mem::take(&mut self.entries);
        let sizes =
            entries.first().zip(entries.last()).map(|(first, last)| (first.seq.saturating_sub(1), last.seq));
        if sizes != Some((previous.size, next.size)) {
            return Err(BadLine);
        }
        if let Some(before) = self.undecided() {
            if before.next == previous {
                before.outcome = Outcome::Committed;
            } else if before.next.size > previous.size {
                before.outcome = Outcome::RolledBack;
            }
        }
        Ok(self.attempt.replace(Attempt { entries, previous, next, outcome: Outcome::Undecided }))
    }

    /// Ends an attempt.
    fn decide(&mut self, size: u64, outcome: Outcome) -> Result<(), BadLine> {
        let attempt = self.undecided().filter(|attempt| attempt.next.size == size).ok_or(BadLine)?;
        attempt.outcome = outcome;
        Ok(())
    }

    fn undecided(&mut self) -> Option<&mut Attempt> {
        self.attempt.as_mut().filter(|attempt| attempt.outcome == Outcome::Undecided)
    }
}

impl Iterator for Reader {
    type Item = Result<Passage, AnchorError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            let passage = match self.next_line() {
                Ok(Some((at, line))) => self.take(line).map_err(|BadLine| self.damaged(at)),
                Ok(None) => {
                    self.is_over = true;
                    Ok(self.attempt.take().map(Passage::Attempt))
                }
                Err(error) => Err(error),
            };
            self.is_over |= passage.is_err();
            if let Some(passage) = passage.transpose() {
                return Some(passage);
            }
        }
        None
    }
}
