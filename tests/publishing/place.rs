//! A database with services that publish.

use std::{ops::Deref, time::Duration};

use lapin::types::AMQPValue;
use support::{
    amqp::declare_with,
    api::Api,
    place,
    postgres::Cluster,
    process::Running,
    rabbitmq::{Broker, OneBroker},
    random::Random,
    root,
    waiting::{lasting, until},
    wire::Wire,
};

use crate::{SOON, consumer::Consumer, documents::python};

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

/// Claims that are over soon after a process was killed, and also when it stood still.
const SHORT: &str = "1s";

/// Fewer bytes than a message with signatures has, and more than a client sends while it tries to connect.
const MESSAGE: usize = 1000;

impl Place<'_> {
    /// A service that publishes 2000 records, in one batch, to a queue that has room for three messages and then refuses them.
    pub fn publish_to_a_short_queue(&self, broker: &OneBroker, queue: &str, options: &str) -> Running {
        let arguments = [
            ("x-max-length", AMQPValue::LongInt(3)),
            ("x-overflow", AMQPValue::LongString("reject-publish".into())),
        ];
        declare_with(&broker.url(), queue, &arguments);
        self.seed(2000);
        let mut command = self.command(&["serve", "--listen", "none", "--batch-size", "2000"]);
        command.env("SIGNWAVE_PUBLISH", broker.queue(queue, options));
        Running::start(command, self.log())
    }

    /// Starts a service that signs, and publishes there.
    pub fn publish(&self, to: &str) -> Running {
        Running::start(self.publisher(&["--listen", "none"], SHORT, to), self.log())
    }

    /// The same with an API and its metrics.
    pub fn publish_and_answer(&self, to: &str) -> Api {
        self.publish_holding(SHORT, to)
    }

    /// The same with claims that last so long: where the machine may stand still and none be lost, a minute.
    pub fn publish_holding(&self, claim: &str, to: &str) -> Api {
        let listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        Api::of(self.publisher(&listen, claim, to), self.log())
    }

    /// Runs `work` while records are added, never many more than the consumer has.
    pub fn under_load<T>(&self, consumer: &Consumer, work: impl FnOnce() -> T) -> T {
        self.0.under_load(200, || consumer.rows(), work)
    }

    /// Loses something on the wire, `losses` times: an answer of `confirm` bytes that confirms what has arrived, or what was
    /// sent.
    pub fn lose(&self, wire: &Wire, confirm: usize, losses: usize, consumer: &Consumer, random: &mut Random) {
        for loss in 0..losses {
            let (way, bytes) = match loss % 3 {
                2 => (&wire.swallows, MESSAGE),
                _ => (&wire.swallows_answers, confirm),
            };
            until("something is lost", SOON, || {
                // Behind what the destination still lacked, so that the publisher is connected.
                let signed = self.number("SELECT count(*) FROM signature") as usize;
                until("signatures arrive", SOON, || consumer.rows() > signed);
                random.moment(Duration::from_millis(50));
                // After a moment, a place that is stored too early would be stored.
                wire.loses(way, bytes, || random.moment(Duration::from_millis(400)))
            });
        }
    }

    /// What the service's metrics say of its only publisher.
    pub fn metric(&self, api: &Api, name: &str) -> f64 {
        let (metrics, name) = (api.admin()("/metrics"), format!("signwave_publisher_{name}{{"));
        let line = metrics.lines().find(|line| line.starts_with(&name));
        line.unwrap_or_else(|| panic!("no {name}: {metrics}")).rsplit_once(' ').unwrap().1.parse().unwrap()
    }

    /// Waits until the consumer has so many rows. They are the feed, in its order, each once.
    pub fn until_published(&self, consumer: &Consumer, rows: usize) {
        until("all is published", SOON * 2, || consumer.rows() >= rows);
        let (seen, feed) = (consumer.log(), self.feed());
        assert_eq!(seen.rows.len(), feed.len());
        for (row, expected) in seen.rows.iter().zip(&feed) {
            assert_eq!(row, expected, "in the order of the feed");
        }
        let path = self.sandbox.path("messages.jsonl");
        let lines =
            seen.bodies.values().map(|body| String::from_utf8(body.clone()).unwrap().replace('\n', " "));
        std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
        let schema = root().join("packaging/signatures.schema.json");
        let checked = python("schema.py", &[&schema, &path]);
        assert_eq!(checked, seen.bodies.len().to_string(), "each message is as the schema says");
    }

    /// Waits until all messages of the queue are consumed, by the broker's own counts.
    pub fn until_empty(&self, broker: &Broker, queue: &str) {
        lasting(Duration::from_millis(700)); // the broker's counts are half a second old
        until("the queue is empty", SOON, || broker.counts(queue) == (0, 0));
    }
}
