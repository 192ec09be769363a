//! The body of a bulk request: pieces of text in, records out.

use std::time::Duration;

use actix_web::web::{Bytes, Payload};
use tokio::time::Instant;

use super::chunk::Chunk;
use crate::{
    actors::messages::Incoming,
    formats::rows::{Flaw, Record, Splitter, TooLong, max_object, object},
    http::{
        body::Arriving,
        budget::{Budget, Share},
        idempotency_key,
        problem::{Kind, Problem},
    },
};

/// How long a whole stream may take. What matters is that its pieces come soon after each other.
const WHOLE: Duration = Duration::from_secs(365 * 24 * 3600);

/// What one piece of the body may have, and the step in which memory is taken from the budget.
const PIECE: usize = 256 << 10;

/// The memory that a stream keeps from its beginning. So a stream of small lines always gets on, however much others
/// take.
const LEAST: usize = 4 * PIECE;

/// A body of JSON lines.
pub struct Input {
    body: Arriving,
    splitter: Splitter,
    max_payload: usize,
    takes_anonymous: bool,
    budget: Budget,
    share: Share,
    /// Bytes in the share.
    held: usize,
    end: Option<End>,
}

/// Why there are no more records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The body is complete.
    Complete,
    /// Something is wrong with this line, or with the service when it came to it.
    Failed(Problem, u64),
}

impl Input {
    /// Reads `body`, whose payloads have at most `max_payload` bytes.
    ///
    /// # Errors
    /// [`Kind::Overloaded`] when the budget is used up.
    pub fn new(
        body: Payload,
        max_payload: usize,
        takes_anonymous: bool,
        budget: &Budget,
    ) -> Result<Self, Problem> {
        let splitter = Splitter::new(max_object(max_payload));
        let (share, budget) = (budget.take(LEAST)?, budget.clone());
        Ok(Self {
            body: Arriving::new(body),
            splitter,
            max_payload,
            takes_anonymous,
            budget,
            share,
            held: LEAST,
            end: None,
        })
    }

    /// Why no more records come; `None` while more may come.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// How many lines were read.
    pub fn lines(&self) -> u64 {
        self.splitter.line() - 1
    }

    /// Ends the input before the next line.
    pub fn stop(&mut self, problem: Problem) {
        self.end.get_or_insert(End::Failed(problem, self.splitter.line()));
    }

    /// Makes sure that the budget covers another piece beside the `others` bytes in chunks. Returns `false` if it
    /// does not.
    pub fn affords_piece(&mut self, others: usize) -> bool {
        let needed = (self.splitter.memory() + others + PIECE).next_multiple_of(PIECE).max(LEAST);
        if needed > self.held {
            let Ok(more) = self.budget.take(needed - self.held) else { return false };
            self.share.join(more);
        } else {
            self.share.give_back(self.held - needed);
        }
        self.held = needed;
        true
    }

    /// The next piece of the body, for [`Input::add`]. Dropping this future loses nothing.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, Problem> {
        self.body.next(Instant::now() + WHOLE).await
    }

    /// Adds a piece, or notes the end of the body.
    pub fn add(&mut self, piece: Result<Option<Bytes>, Problem>) {
        match piece {
            Ok(Some(piece)) => self.splitter.add(&piece),
            Ok(None) => self.splitter.end(),
            Err(problem) => self.stop(problem),
        }
    }

    /// Fills `chunk` with the records that have come.
    pub fn fill(&mut self, chunk: &mut Chunk) {
        while self.end.is_none() && !chunk.is_full() {
            match self.splitter.next() {
                Ok(Some((line, text))) => match self.record(&text) {
                    Ok(record) => chunk.add(line, record),
                    Err(problem) => self.end = Some(End::Failed(on_line(line, problem), line)),
                },
                Ok(None) if self.splitter.is_ended() => self.end = Some(End::Complete),
                Ok(None) => break,
                Err(TooLong(line)) => {
                    let problem = on_line(line, invalid(&Flaw::TooLarge(self.max_payload)));
                    self.end = Some(End::Failed(problem, line));
                }
            }
        }
    }

    fn record(&self, text: &[u8]) -> Result<Incoming, Problem> {
        let Record { external_id, payload } =
            object(text, self.max_payload).map_err(|flaw| invalid(&flaw))?;
        match &external_id {
            None if !self.takes_anonymous => return Err(Problem::new(Kind::IdentityMissing)),
            Some(name) => idempotency_key::check_unreserved(name)?,
            None => {}
        }
        Ok(Incoming { external_id, payload: payload.into() })
    }

    /// Reads the rest of the body and drops it.
    pub async fn discard(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Ok(Some(_)) = self.body.next(end).await {}
    }
}

fn invalid(flaw: &Flaw) -> Problem {
    let kind = if flaw.is_too_large() { Kind::ContentTooLarge } else { Kind::LineInvalid };
    Problem::because(kind, flaw.sentence())
}

fn on_line(line: u64, problem: Problem) -> Problem {
    let detail = match &problem.detail {
        Some(detail) => format!("Line {line}: {detail}"),
        None => format!("Line {line}."),
    };
    Problem { detail: Some(detail.into()), ..problem }
}

#[cfg(test)]
mod tests {
    use actix_web::{FromRequest as _, test::TestRequest};

    use super::*;

    async fn input(budget: &Budget) -> Input {
        let (request, mut payload) = TestRequest::default().to_http_parts();
        let body = Payload::from_request(&request, &mut payload).await.unwrap();
        Input::new(body, 16 << 20, false, budget).unwrap()
    }

    fn line(bytes: usize) -> Result<Option<Bytes>, Problem> {
        Ok(Some(vec![b'x'; bytes].into()))
    }

    #[actix_rt::test]
    async fn streams_share_the_memory_of_all_bodies_and_each_keeps_enough_for_small_lines() {
        let budget = Budget::default();
        let (mut large, mut other) = (input(&budget).await, input(&budget).await);
        large.add(line(40 << 20));
        assert!(large.affords_piece(0));
        other.add(line(100));
        assert!(other.affords_piece(500 << 10), "what it kept is enough");
        other.add(line(30 << 20));
        assert!(!other.affords_piece(0));
        drop(large);
        assert!(other.affords_piece(0));
        drop(other);
        assert!(budget.take(64 << 20).is_ok(), "all of it was given back");
    }
}
