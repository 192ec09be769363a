//! Services that stand between a database and brokers: they take messages in, or publish signatures.

use std::{
    process::Command,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{
    api::{Api, json},
    place::Place,
    process::Running,
    store::MINUTE,
    waiting::{lasting, until},
};

/// Says so when it is dropped, also by a panic.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

impl Place<'_> {
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

    /// A service that is about to sign small batches and to publish there, with claims that last so long.
    pub fn publisher(&self, listen: &[&str], claim: &str, to: &str) -> Command {
        let mut command = self.command(&[&["serve"], listen].concat());
        command.args(["--batch-size", "20", "--lease-ttl", claim, "--lease-grace", "0s"]);
        command.env("SIGNWAVE_PUBLISH", to);
        command
    }

    /// What the status says of the only publisher of this process.
    pub fn status(&self, api: &Api) -> Value {
        let token = self.ok(&["tokens", "create", "--name", "test", "--scope", "read"]);
        let bearer = format!("Bearer {}", token.trim());
        json(api.get("/v1/status", &[("authorization", &bearer)]))["publishers"][0].take()
    }

    /// The refused messages: how often each was refused, and its reason.
    pub fn refused(&self) -> Vec<(i64, String)> {
        let rows = self.rows("SELECT tries AS number, reason AS text FROM refused ORDER BY id");
        rows.into_iter().map(|row| (row.number, row.text)).collect()
    }

    /// Waits until there are so many records.
    pub fn until_records(&self, records: usize) {
        until("the records are there", MINUTE, || {
            lasting(Duration::from_millis(20)); // counting takes the database from the intake
            self.records() >= records as i64
        });
        assert_eq!(self.records(), records as i64);
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
    pub fn feed(&self) -> Vec<Value> {
        let rows = self.ok(&["export", "--after", "0"]);
        rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect()
    }

    /// Runs `work` while records are added, `step` at a time. Signed more slowly than they come, they would pile up: there
    /// are never many more than five steps beyond what is `published`.
    pub fn under_load<T>(
        &self,
        step: usize,
        published: impl Fn() -> usize + Sync,
        work: impl FnOnce() -> T,
    ) -> T {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut records = self.records() as usize;
                while !is_over.load(SeqCst) {
                    if records < published() + 5 * step {
                        records += step;
                        self.seed(records);
                    }
                    lasting(Duration::from_millis(20));
                }
            });
            let over = Over(&is_over);
            let result = work();
            drop(over);
            result
        })
    }
}
