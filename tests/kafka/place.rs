//! A database with services that take messages in, or publish signatures.

use std::{fs, ops::Deref};

use support::{api::Api, place, process::Running, waiting::until};

use crate::{SOON, reader::Reader};

/// Claims that are over soon after a process was killed.
const CLAIM: &str = "1s";

/// A database, and the folder in which commands for it run.
pub struct Place(place::Place<'static>);

impl Deref for Place {
    type Target = place::Place<'static>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Place {
    /// An SQLite database with keys.
    pub fn sqlite() -> Self {
        Self(place::Place::sqlite())
    }

    /// A database on the shared PostgreSQL server, with keys.
    pub fn postgres() -> Self {
        Self(place::Place::postgres("kafka"))
    }

    /// Starts a service that signs small batches, and publishes there.
    pub fn publish(&self, to: &str) -> Running {
        Running::start(self.publisher(&["--listen", "none"], CLAIM, to), self.log())
    }

    /// The same with an API.
    pub fn publish_and_answer(&self, to: &str) -> Api {
        Api::of(self.publisher(&["--listen", "127.0.0.1:0"], CLAIM, to), self.log())
    }

    /// Waits until the topic has so many rows. They are the feed, in its order, each once if one goes by the ids.
    pub fn until_published(&self, reader: &Reader, rows: usize) {
        until("all is published", SOON, || reader.log().rows.len() >= rows);
        assert_eq!(reader.log().rows, self.feed(), "in the order of the feed");
    }

    /// Runs `work` while records are added, never many more than the reader has.
    pub fn under_load<T>(&self, reader: &Reader, work: impl FnOnce() -> T) -> T {
        self.0.under_load(100, || reader.log().rows.len(), work)
    }

    /// Lets the database forget what was published.
    pub fn forget_outlets(&self) {
        self.rows("DELETE FROM outlet RETURNING CAST(0 AS BIGINT) AS number, '' AS text");
    }
}

/// How many threads a process has.
pub fn threads(process: &Running) -> usize {
    fs::read_dir(format!("/proc/{}/task", process.id())).unwrap().count()
}
