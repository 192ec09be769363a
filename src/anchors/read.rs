//! What an anchor says, from its beginning.

use super::{
    AnchorAddress, AnchorError,
    error::LinePlace,
    line::{BadLine, Intended, Line},
    medium::Lines,
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
    anchor: AnchorAddress,
    origin: Origin,
    succeeded: Option<Origin>,
    lines: Lines,
    entries: Vec<Intended>,
    /// What is returned when the lines behind it have said what became of it.
    attempt: Option<Attempt>,
    is_over: bool,
}

/// Opens an anchor to read it.
///
/// # Errors
/// When it cannot be read, or is none.
pub fn read(anchor: &AnchorAddress) -> Result<Reader, AnchorError> {
    let (origin, succeeded, lines) = Lines::open(anchor)?;
    let anchor = anchor.clone();
    Ok(Reader { anchor, origin, succeeded, lines, entries: Vec::new(), attempt: None, is_over: false })
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
    fn next_line(&mut self) -> Result<Option<(LinePlace, Line)>, AnchorError> {
        let Some((at, line)) = self.lines.next_line()? else { return Ok(None) };
        let line = std::str::from_utf8(&line).ok().and_then(|line| line.parse().ok());
        line.map(|line| Some((at, line))).ok_or_else(|| self.damaged(at))
    }

    fn damaged(&self, at: LinePlace) -> AnchorError {
        AnchorError::Damaged { anchor: self.anchor.clone(), at }
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
