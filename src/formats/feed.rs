//! Reading the feed: rows from a position on, each with the position behind it. Every way out of the database is such a
//! reader, and a position that somebody keeps.

use std::{collections::VecDeque, io};

use super::{signatures::Row, signed::Fingerprints};
use crate::{
    domain::{FeedId, Place, Position, Runs},
    store::{Feed, FeedBatch, FeedEnd, Reading, StoreError},
};

/// How many batches are read at a time.
const BATCHES: usize = 32;
/// How many records are read at a time, at first and at most.
const FIRST: u64 = 16;
const MOST: usize = 1000;

/// A reader at a position.
pub struct Reader {
    end: FeedEnd,
    position: Position,
    /// Batches that were read, the first of them behind `position`.
    batches: VecDeque<FeedBatch>,
    /// How many rows a visitor takes, as far as is known. What it does not take is read in vain.
    takes: u64,
    fingerprints: Fingerprints,
}

/// Why nothing is read behind a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The position is one of another feed.
    #[error(
        "position {0} is not one of this database, whose feed is {1}: the database was made anew, or its feed was given \
         another id after a restore; read again from the start"
    )]
    OtherFeed(Position, FeedId),
    /// The feed has not come so far.
    #[error(
        "position {0} is ahead of the feed, which ends at {1}: the database was restored from a backup, or has failed over \
         to a standby that lagged, and has lost what was read; read again from the start"
    )]
    Ahead(Position, Position),
}

/// What the visitor of a row answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// The row was taken; more may come.
    GoOn,
    /// The row was taken, and was the last one for now.
    Enough,
}

/// Takes rows, each with the position behind it.
pub type Visitor<'a> = dyn FnMut(&Row<'_>) -> io::Result<Visit> + 'a;

impl Reader {
    /// A reader behind `after`, or at the start. It numbers what is signed first, so that it sees every signature that was
    /// stored before.
    ///
    /// # Errors
    /// Those of the store.
    pub fn begin(store: &dyn Feed, after: Option<Position>) -> Result<Result<Self, Refusal>, StoreError> {
        let end = store.sequence()?;
        let position = after.unwrap_or(Position::start(end.feed));
        let (batches, takes) = (VecDeque::new(), FIRST);
        let mut reader = Self { end, position, batches, takes, fingerprints: Fingerprints::default() };
        Ok(reader.check(store)?.map(|()| reader))
    }

    /// Looks how far the feed is now. Callers must do so before they read what came after the beginning.
    ///
    /// # Errors
    /// Those of the store.
    pub fn look(&mut self, store: &dyn Feed) -> Result<Result<(), Refusal>, StoreError> {
        self.end = store.sequence()?;
        self.check(store)
    }

    /// How far this reader has come.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The position behind all that was there at the last look.
    pub fn end(&self) -> Position {
        Position::behind(self.end.feed, self.end.last)
    }

    /// Whether all is read that was there at the last look.
    pub fn is_at_end(&self) -> bool {
        self.position.place >= self.end.last
    }

    /// The position behind the next `limit` rows, or behind all that was there at the last look.
    ///
    /// # Errors
    /// Those of the store.
    pub fn ahead(&mut self, store: &dyn Feed, limit: usize) -> Result<Position, StoreError> {
        let (mut left, mut position) = (limit as u64, self.position);
        let mut known = 0;
        while left > 0 && position.place < self.end.last {
            if known == self.batches.len() {
                let more =
                    store.feed(position.place, usize::try_from(left).unwrap_or(MOST).clamp(BATCHES, MOST))?;
                self.batches.extend(more);
            }
            let Some(next) = self.batches.get(known) else { return Err(missing(position.place)) };
            let rest = next.batch.records.len().saturating_sub(position.records);
            if left < rest {
                return Ok(Position { records: position.records + left, ..position });
            }
            (left, position, known) = (left - rest, Position::behind(position.feed, next.place), known + 1);
        }
        Ok(position)
    }

    /// Shows rows from the position on, up to the end that was there at the last look, or until the visitor has enough.
    /// Returns how many. If this fails, the position is behind the last row that was taken.
    ///
    /// # Errors
    /// Those of the store; [`StoreError::Corrupt`] when a signature is missing; an error of the visitor.
    pub fn read(
        &mut self,
        store: &dyn Feed,
        with_payload: bool,
        visit: &mut Visitor<'_>,
    ) -> Result<u64, ReadError> {
        let mut rows = 0;
        while !self.is_at_end() {
            if self.batches.is_empty() {
                self.batches.extend(store.feed(self.position.place, BATCHES)?);
            }
            let Some(next) = self.batches.pop_front() else {
                return Err(missing(self.position.place).into());
            };
            let most = usize::try_from(self.takes - rows).unwrap_or(MOST).clamp(1, MOST);
            let visited = self.read_batch(store, &next, most, with_payload, visit);
            if self.position.place != next.place {
                self.batches.push_front(next);
            }
            let (taken, answer) = visited?;
            rows += taken;
            if answer == Visit::Enough {
                self.takes = rows;
                break;
            }
            if rows >= self.takes {
                self.takes = 2 * rows;
            }
        }
        Ok(rows)
    }

    /// Shows at most so many records of one batch. Returns how many were taken.
    fn read_batch(
        &mut self,
        store: &dyn Reading,
        next: &FeedBatch,
        most: usize,
        with_payload: bool,
        visit: &mut Visitor<'_>,
    ) -> Result<(u64, Visit), ReadError> {
        let (batch, feed) = (&next.batch, self.position.feed);
        let damaged = || StoreError::Corrupt(format!("batch {} lacks its key or scheme", batch.id));
        let incomplete = || StoreError::Corrupt(format!("signatures of batch {} are missing", batch.id));
        let signed = self.fingerprints.signed(store, batch)?.ok_or_else(damaged)?;
        let ids = batch.records.iter().skip(usize::try_from(self.position.records).unwrap_or(usize::MAX));
        let records: Runs = ids.take(most).collect();
        let (mut left, mut taken, mut answer) = (records.iter().peekable(), 0, Ok(Visit::GoOn));
        let position = &mut self.position;
        store.read_signed(&records, &mut |row| {
            if !matches!(answer, Ok(Visit::GoOn)) {
                return;
            }
            let is_next = left.next_if_eq(&row.record).is_some();
            let Some(mut row) = signed.row(&row, with_payload).filter(|_| is_next) else {
                answer = Err(incomplete().into());
                return;
            };
            let seen = position.records + 1;
            let is_last = seen >= batch.records.len();
            let behind = if is_last {
                Position::behind(feed, next.place)
            } else {
                Position { records: seen, ..*position }
            };
            let text = behind.to_string();
            row.position = Some(&text);
            answer = visit(&row).map_err(ReadError::Visitor);
            if answer.is_ok() {
                (*position, taken) = (behind, taken + 1);
            }
        })?;
        let answer = answer?;
        if answer == Visit::GoOn && taken < records.len() {
            return Err(incomplete().into());
        }
        Ok((taken, answer))
    }

    /// Whether the feed has what is behind the position.
    fn check(&mut self, store: &dyn Feed) -> Result<Result<(), Refusal>, StoreError> {
        let (position, end) = (self.position, self.end);
        if position.feed != end.feed {
            return Ok(Err(Refusal::OtherFeed(position, end.feed)));
        }
        let ahead = Refusal::Ahead(position, self.end());
        if position.place > end.last {
            return Ok(Err(ahead));
        }
        // In the middle of a batch, that batch must have more records.
        if position.records > 0 && self.batches.is_empty() {
            self.batches.extend(store.feed(position.place, BATCHES)?);
            let has_more = |next: &FeedBatch| next.batch.records.len() > position.records;
            if !self.batches.front().is_some_and(has_more) {
                return Ok(Err(ahead));
            }
        }
        Ok(Ok(()))
    }
}

/// An error of reading rows.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Of the visitor, who could not take a row.
    #[error("a row cannot be written: {0}")]
    Visitor(io::Error),
}

fn missing(place: Place) -> StoreError {
    StoreError::Corrupt(format!("the feed ends at position {place}, before its last one"))
}
