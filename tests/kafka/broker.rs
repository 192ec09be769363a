//! A cluster of one broker, a producer, and what a group has committed.

use std::time::Duration;

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    bindings::rd_kafka_resp_err_t as code,
    consumer::{BaseConsumer, Consumer},
    message::{Header, OwnedHeaders},
    mocking::MockCluster,
    producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer},
    types::RDKafkaApiKey,
};
use support::waiting::until;

use crate::SOON;

/// The group of the intakes.
pub const GROUP: &str = "signwave";

/// How long one question to the broker may take. A busy machine may need several.
const ANSWER: Duration = Duration::from_secs(10);

/// An answer that is none.
pub const HANGS_UP: code = code::RD_KAFKA_RESP_ERR__TRANSPORT;

/// The first request of each connection, and what is asked over those that there are.
const HUNG_UP_ON: [RDKafkaApiKey; 5] = [
    RDKafkaApiKey::ApiVersion,
    RDKafkaApiKey::Fetch,
    RDKafkaApiKey::Produce,
    RDKafkaApiKey::Heartbeat,
    RDKafkaApiKey::OffsetCommit,
];

/// A broker at work.
pub struct Broker {
    pub mock: MockCluster<'static, DefaultProducerContext>,
}

impl Broker {
    /// One that has no topic.
    pub fn empty() -> Self {
        Self { mock: MockCluster::new(1).unwrap() }
    }

    /// One with a topic of so many partitions.
    pub fn start(topic: &str, partitions: i32) -> Self {
        let broker = Self::empty();
        broker.mock.create_topic(topic, partitions, 1).unwrap();
        broker
    }

    /// `HOST:PORT`.
    pub fn place(&self) -> String {
        self.mock.bootstrap_servers()
    }

    /// Where an intake takes messages from.
    pub fn source(&self, topic: &str, options: &str) -> String {
        format!("kafka://{}?topic={topic}&group={GROUP}{options}", self.place())
    }

    /// Where signatures are published.
    pub fn destination(&self, topic: &str, options: &str) -> String {
        format!("kafka://{}?topic={topic}{options}", self.place())
    }

    /// Hangs up on everybody, until it comes back. It keeps its port: another process could take that if it were closed.
    pub fn go_away(&self) {
        HUNG_UP_ON.into_iter().for_each(|request| self.mock.request_errors(request, &[HANGS_UP; 10_000]));
    }

    /// Answers again.
    pub fn come_back(&self) {
        HUNG_UP_ON.into_iter().for_each(|request| self.mock.clear_request_errors(request));
    }

    /// Waits until everything in the topic is committed.
    pub fn until_committed(&self, topic: &str, partitions: i32) {
        let consumer: BaseConsumer = config(&self.place()).set("group.id", GROUP).create().unwrap();
        let mut all = TopicPartitionList::new();
        all.add_partition_range(topic, 0, partitions - 1);
        until("everything is committed", SOON, || {
            let Ok(committed) = consumer.committed_offsets(all.clone(), ANSWER) else { return false };
            committed.elements().iter().all(|one| {
                let Ok((first, end)) = consumer.fetch_watermarks(topic, one.partition(), ANSWER) else {
                    return false;
                };
                // Nothing is committed in a partition that has nothing.
                first == end || one.offset() == Offset::Offset(end)
            })
        });
    }
}

/// What every client of the tests is told.
pub fn config(place: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", place);
    config
}

/// A message: its name, and its bytes.
pub type Message = (Option<String>, Vec<u8>);

/// A producer, which may be in another thread than the broker.
pub struct Sender(BaseProducer);

impl Sender {
    pub fn to(place: &str) -> Self {
        // The order that is asked for, also when the broker fails.
        Self(config(place).set("enable.idempotence", "true").create().unwrap())
    }

    /// Sends messages whose names are in a header, and waits for the broker. All have the same few keys, as updates have.
    pub fn send(&self, topic: &str, header: &str, messages: &[Message]) {
        for (number, (name, body)) in messages.iter().enumerate() {
            let mut headers = OwnedHeaders::new().insert(Header { key: "other", value: Some("x") });
            if let Some(name) = name {
                headers = headers.insert(Header { key: header, value: Some(name.as_bytes()) });
            }
            let key = format!("key-{}", number % 8);
            self.queue(BaseRecord::to(topic).key(&key).payload(body).headers(headers));
        }
        self.finish();
    }

    /// Hands over a message.
    pub fn queue(&self, message: BaseRecord<'_, String, Vec<u8>>) {
        self.0.send(message).map_err(|(error, _)| error).unwrap();
    }

    /// Waits for the broker.
    pub fn finish(&self) {
        until("the broker has the messages", SOON, || self.0.flush(ANSWER).is_ok());
    }
}
