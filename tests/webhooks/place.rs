//! A database with services that send to webhooks.

use std::{cell::Cell, ops::Deref, process::Command};

use serde_json::Value;
use support::{place, process::Running, waiting::until};

use crate::SOON;

/// A database, and the folder in which commands for it run.
pub struct Place {
    place: place::Place<'static>,
    records: Cell<usize>,
}

impl Deref for Place {
    type Target = place::Place<'static>;

    fn deref(&self) -> &Self::Target {
        &self.place
    }
}

impl Place {
    /// An SQLite database with keys.
    pub fn sqlite() -> Self {
        Self { place: place::Place::sqlite(), records: Cell::new(0) }
    }

    /// A database on the shared PostgreSQL server, with keys.
    pub fn postgres() -> Self {
        Self { place: place::Place::postgres("webhooks"), records: Cell::new(0) }
    }

    /// Adds a webhook that may be internal. Returns its secret.
    pub fn add(&self, name: &str, url: &str) -> String {
        self.ok(&["webhooks", "add", url, "--name", name, "--allow-internal"]).trim().to_owned()
    }

    /// A service that makes a batch of each record, and whose holds last for eight seconds, of which a request may take two thirds.
    pub fn serve(&self) -> Running {
        Running::start(self.service(), self.log())
    }

    pub fn service(&self) -> Command {
        self.command(&["serve", "--listen", "none", "--batch-size", "1", "--lease-ttl", "8s"])
    }

    /// Adds records.
    pub fn add_records(&self, records: usize) {
        let first = self.records.replace(self.records.get() + records);
        let lines: String = (first..first + records)
            .map(|number| format!("{{\"external_id\": \"r{number}\", \"payload\": \"record {number}\"}}\n"))
            .collect();
        let file = self.sandbox.path("records.jsonl");
        std::fs::write(&file, lines).unwrap();
        self.ok(&["import", file.to_str().unwrap()]);
    }

    /// Adds records, and waits until all of them are in the feed.
    pub fn sign(&self, records: usize) {
        self.add_records(records);
        let all = self.records.get() as i64;
        until("all are in the feed", SOON, || self.last() == all);
    }

    /// The last position of the feed.
    pub fn last(&self) -> i64 {
        self.number("SELECT coalesce(max(position), 0) FROM feed")
    }

    /// What `webhooks list` says of a webhook.
    pub fn webhook(&self, name: &str) -> Value {
        let list: Value = serde_json::from_str(&self.ok(&["webhooks", "list", "--json"])).unwrap();
        list.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone()
    }

    /// Waits until a webhook is as it should be.
    pub fn until(&self, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        until(what, SOON, || is_so(&self.webhook(name)));
        self.webhook(name)
    }

    /// Waits until a service has logged what it has stored already.
    pub fn until_said(&self, service: &Running, words: &str) {
        until(words, SOON, || service.log().contains(words));
    }

    /// Lets the time come at which a message is sent again.
    pub fn let_time_pass(&self) {
        let failed = "SELECT count(*) FROM webhook WHERE retry_at IS NOT NULL";
        assert_eq!(self.number(failed), 1, "one webhook waits");
        self.sandbox.sql("UPDATE webhook SET retry_at = created_at WHERE retry_at IS NOT NULL");
    }
}
