//! A database with services that publish.

use std::{ops::Deref, process::Command, time::Duration};

use serde_json::Value;
use support::{
    api::Api,
    place,
    postgres::Cluster,
    process::Running,
    rabbitmq::Broker,
    waiting::{lasting, until},
};

use crate::{SOON, consumer::Consumer};

/// A database, and the folder in which commands for it run.
pub struct Place<'a>(place::Place<'a>);

impl<'a> Deref for Place<'a> {
    type Target = place::Place<'a>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Place<'static> {
    /// An SQLite database with keys.
    pub fn sqlite() -> Self {
        Self(place::Place::sqlite())
    }

    /// A database on the shared PostgreSQL server, with keys.
    pub fn postgres() -> Self {
        Self(place::Place::on(Cluster::shared(), "publish"))
    }
}

/// Small batches, and claims that are over soon after a process was killed.
const SHORT: [&str; 6] = ["--batch-size", "20", "--lease-ttl", "1s", "--lease-grace", "0s"];

impl Place<'_> {
    /// A service that signs, and publishes there.
    pub fn publisher(&self, to: &str) -> Command {
        let mut command = self.command(&["serve", "--listen", "none"]);
        command.args(SHORT).env("SIGNWAVE_PUBLISH", to);
        command
    }

    /// Starts one.
    pub fn publish(&self, to: &str) -> Running {
        Running::start(self.publisher(to), self.log())
    }

    /// The same with an API and its metrics.
    pub fn publish_and_answer(&self, to: &str) -> Api {
        let mut command =
            self.command(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.args(SHORT).env("SIGNWAVE_PUBLISH", to);
        Api::of(command, self.log())
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

    /// Waits until the consumer has so many rows. They are the feed, in its order, each once.
    pub fn until_published(&self, consumer: &Consumer, rows: usize) {
        until("all is published", SOON * 2, || consumer.rows() >= rows);
        let (seen, feed) = (consumer.log(), self.feed());
        assert_eq!(seen.rows.len(), feed.len());
        for (row, expected) in seen.rows.iter().zip(&feed) {
            assert_eq!(row, expected, "in the order of the feed");
        }
    }

    /// Waits until all messages of the queue are consumed, by the broker's own counts.
    pub fn until_empty(&self, broker: &Broker, queue: &str) {
        lasting(Duration::from_millis(700)); // the broker's counts are half a second old
        until("the queue is empty", SOON, || broker.counts(queue) == (0, 0));
    }
}
