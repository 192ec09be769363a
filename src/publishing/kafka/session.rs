//! A producer whose messages are all in one partition, in order and without a gap, so that the last one says how far the
//! topic has the feed.
//!
//! The library has one message at a time. If it had several, and failed with one or were told to drop them all, a later one
//! could still be sent: it would be the last one, and the one before would be missing for ever.

use std::{collections::VecDeque, future::pending, time::Duration};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{DeliveryFuture, FutureProducer, FutureRecord},
};

use super::address::Kafka;
use crate::{
    brokers::{
        BrokerError,
        kafka::{ANSWERING, Client, Context, EVENT_ID, Turn, beside, ended, find_topic, last_header, said},
    },
    domain::Position,
    publishing::{
        broker::{Health, Publisher, Session},
        chunk::Chunk,
    },
};

/// What the body of a message is, as the Kafka binding of CloudEvents says it.
const CONTENT_TYPE: Header<'_, &str> =
    Header { key: "content-type", value: Some("application/cloudevents+json") };

/// The partition. It is named, and the messages have no key: with one key for all of them, a topic that is compacted would
/// keep only the last one; without a key, such a topic refuses them.
const PARTITION: i32 = 0;

/// One wait for the last message.
const STEP: Duration = Duration::from_millis(100);

/// A publisher at work.
pub struct KafkaSession {
    client: Client<FutureProducer<Context>>,
    context: Context,
    topic: String,
    arrived: Option<Position>,
    under_way: Option<DeliveryFuture>,
    /// The ids and the bodies of what is sent when those before it are confirmed.
    waiting: VecDeque<(String, Vec<u8>)>,
}

impl Publisher for Kafka {
    type Session = KafkaSession;

    fn destination(&self) -> &str {
        self.name()
    }

    async fn connect(&self) -> Result<KafkaSession, BrokerError> {
        let (turn, to) = (self.cluster.turn().await?, self.clone());
        beside(move || to.open(turn)).await
    }
}

impl Kafka {
    /// Blocks until the topic is known.
    fn open(self, turn: Turn) -> Result<KafkaSession, BrokerError> {
        let arrived = self.arrived()?;
        let context = Context::default();
        let producer = self.cluster.producer().create_with_context(context.clone());
        let producer: FutureProducer<Context> = producer.map_err(|error| said(&error))?;
        let client = Client::new(producer, turn);
        let (topic, waiting) = (self.topic, VecDeque::new());
        Ok(KafkaSession { client, context, topic, arrived, under_way: None, waiting })
    }

    /// The position of the last message.
    fn arrived(&self) -> Result<Option<Position>, BrokerError> {
        let context = Context::default();
        // It reads for no group: the library wants a name in any case.
        let mut config = self.cluster.consumer("signwave-publisher");
        let consumer = config.set("enable.partition.eof", "true").create_with_context(context.clone());
        let consumer: BaseConsumer<Context> = consumer.map_err(|error| said(&error))?;
        let found = find_topic(&consumer, &self.topic);
        let found = found.and_then(|()| last(&consumer, &context, &self.topic));
        found.map_err(|error| {
            // What is wrong with each broker is told to those who ask for messages.
            for _ in 0..Context::TOLD {
                drop(consumer.poll(Duration::ZERO));
            }
            context.explain(error)
        })
    }
}

/// Reads the last message of the partition. Behind it may be what is no message, such as the end of a transaction.
fn last(
    consumer: &BaseConsumer<Context>,
    context: &Context,
    topic: &str,
) -> Result<Option<Position>, BrokerError> {
    let (first, end) =
        consumer.fetch_watermarks(topic, PARTITION, ANSWERING).map_err(|error| said(&error))?;
    if first >= end {
        return Ok(None);
    }
    let mut place = TopicPartitionList::with_capacity(1);
    let placed = place.add_partition_offset(topic, PARTITION, Offset::Offset(end - 1));
    placed.and_then(|()| consumer.assign(&place)).map_err(|error| said(&error))?;
    for _ in 0..ANSWERING.as_millis() / STEP.as_millis() {
        match consumer.poll(STEP) {
            Some(Ok(message)) => {
                let id = last_header(&message, EVENT_ID);
                return Ok(id.and_then(|id| str::from_utf8(id).ok()?.parse().ok()));
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(None),
            Some(Err(_)) | None => context.check()?,
        }
    }
    Err(BrokerError(format!("the last message did not come within {} s", ANSWERING.as_secs())))
}

impl Session for KafkaSession {
    fn arrived(&self) -> Option<Position> {
        self.arrived
    }

    async fn send(&mut self, chunk: &Chunk) -> Result<(), BrokerError> {
        self.waiting.push_back((chunk.position.to_string(), chunk.body.clone()));
        self.go_on()
    }

    async fn confirmed(&mut self) -> Result<(), BrokerError> {
        let Some(under_way) = &mut self.under_way else { return pending().await };
        let answer = under_way.await;
        self.under_way = None;
        match answer {
            Ok(Ok(_)) => self.go_on(),
            Ok(Err((error, _))) => Err(self.context.explain(refusal(&error))),
            Err(_) => Err(ended()),
        }
    }

    fn health(&self) -> Result<Health, BrokerError> {
        self.context.check().map(|()| Health::Taking)
    }

    async fn close(self) {
        // What is not confirmed is not sent any more.
        self.client.end().await;
    }
}

impl KafkaSession {
    /// Sends the next message, if none is under way.
    fn go_on(&mut self) -> Result<(), BrokerError> {
        if self.under_way.is_none()
            && let Some((id, body)) = self.waiting.pop_front()
        {
            let headers =
                OwnedHeaders::new().insert(CONTENT_TYPE).insert(Header { key: EVENT_ID, value: Some(&id) });
            let message: FutureRecord<'_, (), _> = FutureRecord::to(&self.topic).payload(&body);
            let message = message.partition(PARTITION).headers(headers);
            let sent = self.client.held()?.send_result(message);
            self.under_way = Some(sent.map_err(|(error, _)| said(&error))?);
        }
        Ok(())
    }
}

fn refusal(error: &KafkaError) -> BrokerError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::InvalidRecord) => BrokerError(
            "the topic refuses messages without a key: make one with the cleanup policy 'delete'".to_owned(),
        ),
        _ => said(error),
    }
}
