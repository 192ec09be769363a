//! A database with services that take messages in.

use std::{collections::BTreeSet, ops::Deref, time::Duration};

use support::{
    place,
    postgres::Cluster,
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

    /// The names of all records.
    pub fn names(&self) -> BTreeSet<String> {
        self.0.names().into_keys().collect()
    }

    /// Waits until the queue is empty by the broker's own counts.
    pub fn until_empty(&self, broker: &Broker, queue: &str) {
        until("nothing is ready", SOON, || client::ready(&broker.url(), queue) == 0);
        lasting(Duration::from_millis(700)); // the broker's counts are half a second old
        until("the queue is empty", SOON, || broker.counts(queue) == (0, 0));
    }
}
