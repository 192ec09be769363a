//! The lines of an anchor in a database, read in pages.

use std::collections::VecDeque;

use super::{
    LONG_LIMIT, Place,
    session::{Generation, Row, Session, Unanswered},
};
use crate::{
    anchors::{
        AnchorError,
        address::AnchorRows,
        error::LinePlace,
        line::{Line, MAX_LENGTH, origin_of},
        tail::{Found, Remembered},
    },
    domain::ledger::Origin,
};

/// How many lines are read at once.
const PAGE: usize = 100;

/// The lines behind the first one, up to the last one that was there when the anchor was opened.
pub(in crate::anchors) struct RowLines {
    place: Place,
    generation: Generation,
    /// `None` after an error.
    session: Option<Session>,
    page: VecDeque<Row>,
    /// The number of the next line.
    next: i64,
    last: i64,
}

impl RowLines {
    /// Opens an anchor to read it. Says whose it is, and which incarnation came after that.
    pub(in crate::anchors) fn open(rows: &AnchorRows) -> Result<(Origin, Option<Origin>, Self), AnchorError> {
        let place = Place::of(rows);
        place.clone().bounded(LONG_LIMIT, move || {
            let failed = |unanswered| place.failed(unanswered);
            let mut session = Session::connect(&place.rows.url).map_err(failed)?;
            let Some(generation) = find(&mut session, &place)? else {
                return Err(AnchorError::Missing(place.address));
            };
            let origin = origin_in(&mut session, &place, &generation)?;
            let (last, remembered) = remembered(&mut session, &place, &generation)?;
            let (session, page) = (Some(session), VecDeque::new());
            let lines = Self { place, generation, session, page, next: 2, last: last.line };
            Ok((origin, remembered.succeeded, lines))
        })
    }

    /// The next line with its place; `None` at the end.
    pub(in crate::anchors) fn next_line(&mut self) -> Result<Option<(LinePlace, Vec<u8>)>, AnchorError> {
        if self.next > self.last {
            return Ok(None);
        }
        if self.page.is_empty() {
            self.read()?;
        }
        match self.page.pop_front() {
            Some(Row { line, text }) if line == self.next && text.len() <= MAX_LENGTH => {
                self.next += 1;
                Ok(Some((LinePlace::Line(line), text.into_bytes())))
            }
            _ => Err(self.place.damaged(self.next)),
        }
    }

    fn read(&mut self) -> Result<(), AnchorError> {
        let (place, generation, next) = (self.place.clone(), self.generation.clone(), self.next);
        let session = self.session.take();
        let (session, page) = self.place.bounded(LONG_LIMIT, move || {
            let mut session = session.ok_or_else(|| place.failed(Unanswered::gone()))?;
            let page =
                session.lines_from(&generation, next, PAGE).map_err(|unanswered| place.failed(unanswered))?;
            Ok((session, page))
        })?;
        (self.session, self.page) = (Some(session), page.into());
        Ok(())
    }
}

/// Whether there is an anchor.
pub(in crate::anchors) fn is_there(rows: &AnchorRows) -> Result<bool, AnchorError> {
    let place = Place::of(rows);
    place.clone().bounded(LONG_LIMIT, move || {
        let mut session = Session::connect(&place.rows.url).map_err(|unanswered| place.failed(unanswered))?;
        Ok(find(&mut session, &place)?.is_some())
    })
}

/// The generation that an address names, if it is there.
fn find(session: &mut Session, place: &Place) -> Result<Option<Generation>, AnchorError> {
    let failed = |unanswered| place.failed(unanswered);
    if !session.has_table().map_err(failed)? {
        return Ok(None);
    }
    let name = &place.rows.name;
    match place.rows.aside {
        None => session.generation(name).map_err(failed),
        Some(number) => {
            let generation = Generation { name: name.clone(), number: number.into() };
            let is_there = session.last_line(&generation).map_err(failed)? > 0;
            Ok(is_there.then_some(generation))
        }
    }
}

/// Whose anchor it is, as its first line says.
pub(super) fn origin_in(
    session: &mut Session,
    place: &Place,
    generation: &Generation,
) -> Result<Origin, AnchorError> {
    let first = session.lines_from(generation, 1, 1).map_err(|unanswered| place.failed(unanswered))?;
    let origin = first.first().filter(|row| row.line == 1).and_then(|row| origin_of(&row.text));
    origin.ok_or_else(|| AnchorError::NotAnAnchor(place.address.clone()))
}

/// The last line, and what the anchor remembers. It is read from its end, as a file is. None of its lines can be incomplete,
/// because those of an intent are added together.
pub(super) fn remembered(
    session: &mut Session,
    place: &Place,
    generation: &Generation,
) -> Result<(Row, Remembered), AnchorError> {
    let (mut found, mut last, mut next): (Found, Option<Row>, i64) = (Found::default(), None, i64::MAX);
    'pages: while next > 1 {
        let page =
            session.lines_before(generation, next, PAGE).map_err(|unanswered| place.failed(unanswered))?;
        if page.is_empty() {
            return Err(place.damaged(next - 1));
        }
        for row in page {
            let number = row.line;
            if last.is_some() && number != next - 1 {
                return Err(place.damaged(next - 1));
            }
            next = number;
            last.get_or_insert_with(|| row.clone());
            if number == 1 {
                break 'pages;
            }
            match row.text.parse() {
                Ok(Line::Intent { .. }) if found.has_intent() => break 'pages,
                Ok(line) if found.add(&line, number as u64) => {}
                _ => return Err(place.damaged(number)),
            }
        }
    }
    let last = last.ok_or_else(|| place.damaged(1))?;
    let remembered = found.remembered(1).filter(|remembered| remembered.end == last.line as u64);
    let remembered = remembered.ok_or_else(|| place.damaged(last.line))?;
    Ok((last, remembered))
}

impl Place {
    fn damaged(&self, line: i64) -> AnchorError {
        AnchorError::Damaged { anchor: self.address.clone(), at: LinePlace::Line(line) }
    }
}
