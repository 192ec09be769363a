//! `signwave outlets`: shows how far each way out of the feed is, and sets where one goes on.

mod list;
mod reset;

pub use list::as_json;

use anyhow::Result;
use clap::Subcommand;

use super::context::Context;
use crate::store::{FeedEnd, OutletRow, Store};

/// One variant per command.
#[derive(Debug, Subcommand)]
pub enum Outlets {
    /// List the outlets, each with its position
    List(list::List),
    /// Set where an outlet goes on
    Reset(reset::Reset),
}

impl Outlets {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        match self {
            Self::List(list) => list.run(context),
            Self::Reset(reset) => reset.run(context),
        }
    }
}

/// A way out of the feed, and how far it is.
pub struct Outlet {
    /// Its row.
    pub row: OutletRow,
    /// How far the feed is ahead of it.
    pub lag: Lag,
}

/// How far the feed is ahead of an outlet.
#[derive(Clone, Copy)]
pub enum Lag {
    /// By so many batches.
    Batches(i64),
    /// Not at all: the position is behind the end of the feed.
    Ahead,
    /// The position is of another feed.
    OtherFeed,
}

impl Lag {
    fn of(row: &OutletRow, end: FeedEnd) -> Self {
        match end.last.0 - row.position.place.0 {
            _ if row.position.feed != end.feed => Self::OtherFeed,
            lag if lag < 0 => Self::Ahead,
            lag => Self::Batches(lag),
        }
    }

    /// The batches; `None` if the position is not in the feed.
    pub fn batches(self) -> Option<i64> {
        match self {
            Self::Batches(lag) => Some(lag),
            Self::Ahead | Self::OtherFeed => None,
        }
    }
}

/// Every outlet, and how far each is.
pub fn outlets(store: &dyn Store) -> Result<Vec<Outlet>> {
    let rows = store.outlets()?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let end = store.sequence()?;
    Ok(rows.into_iter().map(|row| Outlet { lag: Lag::of(&row, end), row }).collect())
}
