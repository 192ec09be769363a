//! Opening an anchor in a database to write it.

use std::{thread, time::Duration};

use super::{
    AnchorDatabase, LONG_LIMIT, Place,
    rows::{origin_in, remembered},
    session::{Generation, STATEMENTS, Session, Unanswered},
};
use crate::{
    anchors::{AnchorError, address::AnchorRows, line::header, mark_of, tail::Remembered},
    domain::ledger::Origin,
};

/// How often, and at what intervals, a lock is tried. A server may take a moment to notice that a process has ended.
const TRIES: u32 = 60;
const PAUSE: Duration = Duration::from_millis(50);

impl AnchorDatabase {
    /// Opens the anchor of a ledger, and says what it remembers, unless another incarnation came after this. With `create` one
    /// that is not there is begun, and the table is made if it is missing.
    pub(in crate::anchors) fn open(
        rows: &AnchorRows,
        origin: Origin,
        create: bool,
    ) -> Result<(Self, Remembered), AnchorError> {
        let place = Place::of(rows);
        if rows.aside.is_some() {
            return Err(AnchorError::Aside(place.address));
        }
        let theirs = place.clone();
        let (database, remembered) = place.bounded(LONG_LIMIT, move || open(&theirs, origin, create))?;
        match remembered.succeeded {
            Some(by) => Err(AnchorError::Succeeded { anchor: place.address, by }),
            None => Ok((database, remembered)),
        }
    }
}

fn open(place: &Place, origin: Origin, create: bool) -> Result<(AnchorDatabase, Remembered), AnchorError> {
    let failed = |unanswered| place.failed(unanswered);
    let Place { address, rows } = place;
    let mut session = Session::connect(&rows.url).map_err(failed)?;
    session.refuse_pooler(&rows.url).map_err(failed)?;
    if session.is_marked(mark_of(origin)).map_err(failed)? {
        return Err(AnchorError::Within(address.clone()));
    }
    if !session.has_table().map_err(failed)? {
        if !create {
            return Err(AnchorError::Missing(address.clone()));
        }
        make_table(&mut session, place)?;
    }
    if !lock(&mut session, &rows.name).map_err(failed)? {
        return Err(AnchorError::InUse(address.clone()));
    }
    let generation = match session.generation(&rows.name).map_err(failed)? {
        Some(generation) => generation,
        None if create => begin(&mut session, rows, origin).map_err(failed)?,
        None => return Err(AnchorError::Missing(address.clone())),
    };
    let found = origin_in(&mut session, place, &generation)?;
    if found != origin {
        return Err(AnchorError::OtherOrigin { anchor: address.clone(), found, expected: origin });
    }
    let (certain, remembered) = remembered(&mut session, place, &generation)?;
    let (backend, place) = (session.backend(), place.clone());
    let (session, tail, sent) = (Some(session), Vec::new(), None);
    Ok((AnchorDatabase { place, generation, session, backend, certain, tail, sent }, remembered))
}

/// Waits a moment for the lock, because a process that has just ended may still have it; `false` if it is not free.
pub(super) fn lock(session: &mut Session, name: &str) -> Result<bool, Unanswered> {
    for _ in 1..TRIES {
        if session.lock(name)? {
            return Ok(true);
        }
        thread::sleep(PAUSE);
    }
    session.lock(name)
}

fn make_table(session: &mut Session, place: &Place) -> Result<(), AnchorError> {
    session.make_table().map_err(|unanswered| match unanswered {
        Unanswered::Refused(reason) => {
            AnchorError::NoTable { anchor: place.address.clone(), reason, statements: STATEMENTS }
        }
        away @ Unanswered::Away(_) => place.failed(away),
    })
}

/// Writes the first line.
fn begin(session: &mut Session, rows: &AnchorRows, origin: Origin) -> Result<Generation, Unanswered> {
    let generation = Generation { name: rows.name.clone(), number: origin.incarnation.get().into() };
    session.append(&generation, 0, &[header(origin).trim_end().to_owned()])?;
    Ok(generation)
}
