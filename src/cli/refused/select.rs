//! Which refused messages a command is about.

use anyhow::{Error, Result, anyhow};
use clap::Args;

use crate::{
    domain::RefusedId,
    store::{Arrivals, RefusedRow, StoreError},
};

/// Messages read at a time.
const PAGE: usize = 1000;

/// Messages by their ids, or all of them.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct Selected {
    /// The messages: their ids, which 'refused list' shows
    #[arg(value_name = "ID")]
    ids: Vec<i64>,
    /// Every refused message
    #[arg(long)]
    all: bool,
}

impl Selected {
    /// How many are named; `None` for all.
    pub fn named(&self) -> Option<usize> {
        (!self.all).then_some(self.ids.len())
    }

    /// Calls `act` for each of them, once.
    pub fn each<S: Arrivals + ?Sized>(
        &self,
        store: &S,
        mut act: impl FnMut(RefusedId) -> Result<()>,
    ) -> Result<()> {
        if self.all {
            return each_row(|after| store.refused(after, PAGE), RefusedId(0), |row| act(row.id));
        }
        self.ids.iter().try_for_each(|id| act(RefusedId(*id)))
    }
}

/// Calls `act` for each row behind `after`, page by page.
pub fn each_row(
    page: impl Fn(RefusedId) -> Result<Vec<RefusedRow>, StoreError>,
    mut after: RefusedId,
    mut act: impl FnMut(&RefusedRow) -> Result<()>,
) -> Result<()> {
    loop {
        let rows = page(after)?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.id;
        rows.iter().try_for_each(&mut act)?;
    }
}

/// Rows at a time for [`each_row`].
pub fn page<S: Arrivals + ?Sized>(store: &S) -> impl Fn(RefusedId) -> Result<Vec<RefusedRow>, StoreError> {
    |after| store.refused(after, PAGE)
}

/// The error for an id that no refused message has.
pub fn unknown(id: RefusedId) -> Error {
    anyhow!("no refused message has the id {id}: 'signwave refused list' shows the ids")
}
