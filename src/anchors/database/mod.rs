//! One anchor in a database: lines are rows, and what was sent without an answer is looked up before anything follows it.
//!
//! ```text
//!            lines are sent                    an answer
//! settled ────────────────────▶ in doubt ─────────────────▶ settled
//!    ▲                              │ none, or an error: the session is given up
//!    │    a new session reads       ▼
//!    └──────────────────────── no session
//! ```

mod opening;
mod rows;
mod session;
mod succession;

use std::{mem, time::Duration};

use super::{
    AnchorError,
    address::{AnchorAddress, AnchorRows},
};
use crate::libpq::Waits;
pub(super) use rows::{RowLines, is_there};
use session::{Backend, Generation, Row, Session, Unanswered};
pub(super) use succession::{aside, succeed};

/// How long an answer may take, and a new session with its first answers, where a commit waits for that.
const LIMIT: Duration = Duration::from_secs(8);

/// The same where no commit waits.
const LONG_LIMIT: Duration = Duration::from_secs(30);

/// Questions that are under way. Each anchor has one at a time, and may leave some behind.
static ASKING: Waits = Waits::at_most(50);

/// An anchor that this process may write. Its session holds a lock, so no other process can open it to write.
pub(super) struct AnchorDatabase {
    place: Place,
    generation: Generation,
    /// There unless the last question had no answer. Then nothing is in doubt.
    session: Option<Session>,
    /// What serves the last session, or served it.
    backend: Backend,
    /// The last line that is there for certain.
    certain: Row,
    /// The lines that belong behind it.
    tail: Vec<String>,
    /// Of these, what was sent and had no answer.
    sent: Option<Sent>,
}

/// Where an anchor is.
#[derive(Clone)]
struct Place {
    address: AnchorAddress,
    rows: AnchorRows,
}

/// The first lines of the tail, which were sent at once. They are there, or none of them is.
struct Sent {
    count: usize,
    given_up: Option<GivenUp>,
}

/// An intent at the end of what was sent, of which nothing will come.
struct GivenUp {
    /// Where it begins in the tail.
    from: usize,
    /// The line that says so.
    revoked: String,
}

impl AnchorDatabase {
    /// Appends lines. They are sent with what comes next.
    pub(super) fn append(&mut self, lines: &str) {
        self.tail.extend(lines.lines().map(str::to_owned));
    }

    /// Appends lines, together with all that was appended before, and waits until the server has them on its disk. If they
    /// are there although this fails, they get the line `revoked`.
    pub(super) fn append_synced(&mut self, lines: &str, revoked: &str) -> Result<(), AnchorError> {
        self.settle()?;
        let from = self.tail.len();
        self.append(lines);
        let sent = self.sync();
        if let (Err(_), Some(sent)) = (&sent, &mut self.sent) {
            sent.given_up = Some(GivenUp { from, revoked: revoked.trim_end().to_owned() });
        }
        sent
    }

    /// Sends what was appended.
    ///
    /// What if we die here? The lines are there or not, as a whole, as the next process reads.
    pub(super) fn sync(&mut self) -> Result<(), AnchorError> {
        self.settle()?;
        let Some(last) = self.tail.last().cloned() else { return Ok(()) };
        let (generation, after, lines) = (self.generation.clone(), self.certain.line, self.tail.clone());
        self.sent = Some(Sent { count: lines.len(), given_up: None });
        let session = self.session.take();
        let session = self.place.ask(move || {
            let mut session = session.ok_or_else(Unanswered::gone)?;
            session.append(&generation, after, &lines)?;
            Ok(session)
        })?;
        self.session = Some(session);
        self.certain = Row { line: after + self.tail.len() as i64, text: last };
        self.tail.clear();
        self.sent = None;
        Ok(())
    }

    /// Makes a new session if there is none, and finds out what became of what was sent. Since that session has the lock, the
    /// one before has ended, and nothing of it can still arrive.
    fn settle(&mut self) -> Result<(), AnchorError> {
        if self.session.is_some() {
            return Ok(());
        }
        let (place, generation, earlier) =
            (self.place.clone(), self.generation.clone(), self.backend.clone());
        let (first, sent) = (self.certain.line, self.sent.as_ref().map_or(0, |sent| sent.count));
        let (session, last, found) = self.place.ask(move || {
            let mut session = Session::connect(&place.rows.url)?;
            session.end(&earlier)?;
            if !opening::lock(&mut session, &place.rows.name)? {
                return Err(Unanswered::Away("another session has it locked".to_owned()));
            }
            // One more than can be ours.
            let found = session.lines_from(&generation, first, sent + 2)?;
            let last = session.last_line(&generation)?;
            Ok((session, last, found))
        })?;
        let arrived = self.has_arrived(last, &found)?;
        self.decide(arrived);
        self.backend = session.backend();
        self.session = Some(session);
        Ok(())
    }

    /// Whether what was sent is there, as the lines say that were found from the last certain one on.
    fn has_arrived(&self, last: i64, found: &[Row]) -> Result<bool, AnchorError> {
        let anchor = self.place.address.clone();
        let Some((certain, behind)) = found.split_first() else {
            return Err(AnchorError::WentBack { anchor, found: last, written: self.certain.line });
        };
        if *certain != self.certain {
            return Err(AnchorError::Replaced(anchor));
        }
        let sent = self.sent.as_ref().map_or(&[][..], |sent| &self.tail[..sent.count]);
        if behind.is_empty() {
            return Ok(false);
        }
        let numbers = self.certain.line + 1..;
        let is_ours = behind.len() == sent.len()
            && behind
                .iter()
                .zip(numbers.zip(sent))
                .all(|(row, (line, text))| (row.line, &row.text) == (line, text));
        if is_ours { Ok(true) } else { Err(AnchorError::InUse(anchor)) }
    }

    /// Goes on from what was sent, which has arrived or has not.
    fn decide(&mut self, arrived: bool) {
        let Some(Sent { count, given_up }) = self.sent.take() else { return };
        let later = self.tail.split_off(count);
        let mut lines = mem::replace(&mut self.tail, later);
        if arrived {
            let line = self.certain.line + count as i64;
            self.certain = Row { line, text: lines.pop().unwrap_or_default() };
            lines.clear();
            lines.extend(given_up.map(|given_up| given_up.revoked));
        } else if let Some(given_up) = given_up {
            lines.truncate(given_up.from);
        }
        self.tail.splice(..0, lines);
    }
}

impl Place {
    fn of(rows: &AnchorRows) -> Self {
        Self { address: AnchorAddress::Postgres(rows.clone()), rows: rows.clone() }
    }

    /// Asks the server, for as long as that may take. Whatever goes wrong may be over in a moment.
    fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce() -> Result<T, Unanswered> + Send + 'static,
    ) -> Result<T, AnchorError> {
        let anchor = self.address.clone();
        let away =
            |(Unanswered::Away(reason) | Unanswered::Refused(reason))| AnchorError::Io { anchor, reason };
        self.bounded(LIMIT, move || ask().map_err(away))
    }

    /// Runs what asks the server, for as long as that may take.
    fn bounded<T: Send + 'static>(
        &self,
        limit: Duration,
        ask: impl FnOnce() -> Result<T, AnchorError> + Send + 'static,
    ) -> Result<T, AnchorError> {
        ASKING.within(limit, ask).unwrap_or_else(|overdue| {
            Err(AnchorError::Io { anchor: self.address.clone(), reason: overdue.to_string() })
        })
    }

    /// Why an anchor cannot be opened or read. What a server refuses now, it refuses again.
    fn failed(&self, unanswered: Unanswered) -> AnchorError {
        let anchor = self.address.clone();
        match unanswered {
            Unanswered::Away(reason) => AnchorError::Io { anchor, reason },
            Unanswered::Refused(reason) => AnchorError::Unusable { anchor, reason },
        }
    }
}
