//! A database with services that take messages in, or publish signatures.

use std::{
    fs,
    ops::Deref,
    process::Command,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::Duration,
};

use serde_json::Value;
use support::{
    api::{Api, json},
    place,
    process::Running,
    waiting::{lasting, until},
};

use crate::{SOON, reader::Reader};

/// A database, and the folder in which commands for it run.
pub struct Place(place::Place<'static>);

impl Deref for Place {
    type Target = place::Place<'static>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// Says so when it is dropped, also by a panic.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
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

    /// Starts a service that only forms batches, and takes messages from there.
    pub fn take_in(&self, from: &str) -> Running {
        let mut command = self.command(&["serve", "--listen", "none", "--roles", "emit"]);
        command.env("SIGNWAVE_INTAKE", from);
        Running::start(command, self.log())
    }

    /// The same with an API and its metrics.
    pub fn take_in_and_answer(&self, from: &str) -> Api {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0", "--roles", "emit"]);
        command.args(["--admin-listen", "127.0.0.1:0"]).env("SIGNWAVE_INTAKE", from);
        Api::of(command, self.log())
    }

    /// Starts a service that signs small batches, and publishes there.
    pub fn publish(&self, to: &str) -> Running {
        Running::start(self.serve(&["--listen", "none"], to), self.log())
    }

    /// The same with an API.
    pub fn publish_and_answer(&self, to: &str) -> Api {
        Api::of(self.serve(&["--listen", "127.0.0.1:0"], to), self.log())
    }

    fn serve(&self, listen: &[&str], to: &str) -> Command {
        let mut command = self.command(&[&["serve"], listen].concat());
        command.args(["--batch-size", "20", "--lease-ttl", "1s", "--lease-grace", "0s"]);
        command.env("SIGNWAVE_PUBLISH", to);
        command
    }

    /// What the status says of the only publisher of this process.
    pub fn status(&self, api: &Api) -> Value {
        let token = self.ok(&["tokens", "create", "--name", "test", "--scope", "read"]);
        let bearer = format!("Bearer {}", token.trim());
        json(api.get("/v1/status", &[("authorization", &bearer)]))["publishers"][0].take()
    }

    /// Waits until there are so many records.
    pub fn until_records(&self, records: usize) {
        until("the records are there", SOON, || {
            lasting(Duration::from_millis(20)); // counting takes the database from the intake
            self.records() >= records as i64
        });
        assert_eq!(self.records(), records as i64);
    }

    /// The reasons of the refused messages, and how often each was refused.
    pub fn refused(&self) -> Vec<(String, i64)> {
        let rows = self.rows("SELECT tries AS number, reason AS text FROM refused ORDER BY reason");
        rows.into_iter().map(|row| (row.text, row.number)).collect()
    }

    /// Signs everything, and everything that was promised holds.
    pub fn check(&self) {
        self.ok(&["sign"]);
        self.ok(&["verify"]);
        assert_eq!(self.number("SELECT count(*) FROM signature"), self.records());
    }

    /// Adds records, up to so many in all.
    pub fn seed(&self, records: usize) {
        self.ok(&["seed", "--records", &records.to_string()]);
    }

    /// The feed, a row for each signature.
    fn feed(&self) -> Vec<Value> {
        let rows = self.ok(&["export", "--after", "0"]);
        rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect()
    }

    /// Waits until the topic has so many rows. They are the feed, in its order, each once if one goes by the ids.
    pub fn until_published(&self, reader: &Reader, rows: usize) {
        until("all is published", SOON, || reader.log().rows.len() >= rows);
        assert_eq!(reader.log().rows, self.feed(), "in the order of the feed");
    }

    /// Lets the database forget what was published.
    pub fn forget_outlets(&self) {
        self.rows("DELETE FROM outlet RETURNING CAST(0 AS BIGINT) AS number, '' AS text");
    }

    /// Runs `work` while records are added, never many more than the reader has.
    pub fn under_load<T>(&self, reader: &Reader, work: impl FnOnce() -> T) -> T {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut records = self.records() as usize;
                while !is_over.load(SeqCst) {
                    if records < reader.log().rows.len() + 500 {
                        records += 100;
                        self.seed(records);
                    }
                    lasting(Duration::from_millis(50));
                }
            });
            let over = Over(&is_over);
            let result = work();
            drop(over);
            result
        })
    }
}

/// How many threads a process has.
pub fn threads(process: &Running) -> usize {
    fs::read_dir(format!("/proc/{}/task", process.id())).unwrap().count()
}
