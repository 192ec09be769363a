//! A database with services that take messages in.

use std::{collections::BTreeSet, ops::Deref, time::Duration};

use support::{
    api::Api,
    place,
    postgres::Cluster,
    process::Running,
    rabbitmq::Broker,
    waiting::{lasting, until},
};

use crate::{SOON, client};

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
        Place::on(Cluster::shared())
    }
}

impl<'a> Place<'a> {
    /// A database on this PostgreSQL server, with keys.
    pub fn on(cluster: &'a Cluster) -> Self {
        Self(place::Place::on(cluster, "intake"))
    }

    /// Starts a service that only forms batches, and takes messages from there.
    pub fn take_in(&self, intake: &str) -> Running {
        let mut command = self.command(&["serve", "--listen", "none", "--roles", "emit"]);
        command.env("SIGNWAVE_INTAKE", intake);
        Running::start(command, self.log())
    }

    /// The same with an API and its metrics.
    pub fn take_in_and_answer(&self, intake: &str) -> Api {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0", "--roles", "emit"]);
        command.args(["--admin-listen", "127.0.0.1:0"]).env("SIGNWAVE_INTAKE", intake);
        Api::of(command, self.log())
    }

    /// The names of all records.
    pub fn names(&self) -> BTreeSet<String> {
        self.0.names().into_keys().collect()
    }

    /// The refused messages: how often each was refused, and its reason.
    pub fn refused(&self) -> Vec<(i64, String)> {
        let rows = self.rows("SELECT tries AS number, reason AS text FROM refused ORDER BY id");
        rows.into_iter().map(|row| (row.number, row.text)).collect()
    }

    /// Waits until there are so many records.
    pub fn until_records(&self, records: usize) {
        until("the records are there", SOON, || {
            lasting(Duration::from_millis(20)); // counting takes the database from the intake
            self.records() >= records as i64
        });
        assert_eq!(self.records(), records as i64);
    }

    /// Waits until the queue is empty by the broker's own counts.
    pub fn until_empty(&self, broker: &Broker, queue: &str) {
        until("nothing is ready", SOON, || client::ready(&broker.url(), queue) == 0);
        lasting(Duration::from_millis(700)); // the broker's counts are half a second old
        until("the queue is empty", SOON, || broker.counts(queue) == (0, 0));
    }

    /// Signs everything, and everything that was promised holds.
    pub fn check(&self) {
        self.ok(&["sign"]);
        self.ok(&["verify"]);
        assert_eq!(self.number("SELECT count(*) FROM signature"), self.records());
    }
}
