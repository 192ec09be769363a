//! A member of a consumer group that commits what it has stored.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{CommitMode, Consumer, StreamConsumer},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    message::BorrowedMessage,
};
use tokio::time::timeout;

use super::address::Kafka;
use crate::{
    brokers::{
        BrokerError,
        kafka::{Client, Context, beside, find_topic, last_header, said},
    },
    intake::{Broker, Message, Position, Session},
};

/// How long acknowledging a chunk may take.
const SETTLING: Duration = Duration::from_secs(10);

/// A member at work.
pub struct KafkaSession {
    client: Client<StreamConsumer<Context>>,
    context: Context,
    from: Kafka,
    /// The position of the last message.
    last: u64,
    /// The messages that are not settled, the oldest first. Those of one partition are in its order.
    unsettled: VecDeque<Unsettled>,
}

/// Where a message is.
struct Unsettled {
    position: Position,
    assignment: u64,
    partition: i32,
    offset: i64,
}

impl Broker for Kafka {
    type Session = KafkaSession;

    fn source(&self) -> &str {
        Kafka::source(self)
    }

    async fn connect(&self) -> Result<KafkaSession, BrokerError> {
        let (turn, context) = (self.cluster.turn().await?, Context::default());
        let config = self.cluster.consumer(&self.group);
        let consumer: StreamConsumer<Context> =
            config.create_with_context(context.clone()).map_err(|error| said(&error))?;
        let client = Client::new(consumer, turn);
        let (consumer, topic) = (Arc::clone(client.held()?), self.topic.clone());
        let joined = beside(move || {
            find_topic(&**consumer, &topic)?;
            consumer.subscribe(&[&topic]).map_err(|error| said(&error))
        });
        let session =
            KafkaSession { client, context, from: self.clone(), last: 0, unsettled: VecDeque::new() };
        match joined.await {
            Ok(()) => Ok(session),
            Err(error) => {
                // What is wrong with each broker is told to those who ask for messages.
                for _ in 0..Context::TOLD {
                    drop(session.client.held()?.stream().next().now_or_never());
                }
                Err(session.context.explain(error))
            }
        }
    }
}

impl Session for KafkaSession {
    async fn next(&mut self) -> Result<Message, BrokerError> {
        loop {
            let next = self.client.held()?.recv().await;
            if let Some(arrived) = Arrived::of(next, &self.from.header, &self.context)? {
                return Ok(self.take(arrived));
            }
        }
    }

    fn ready(&mut self) -> Result<Option<Message>, BrokerError> {
        loop {
            let Some(Some(next)) = self.client.held()?.stream().next().now_or_never() else {
                return Ok(None);
            };
            if let Some(arrived) = Arrived::of(next, &self.from.header, &self.context)? {
                return Ok(Some(self.take(arrived)));
            }
        }
    }

    async fn settle(&mut self, last: Position) -> Result<(), BrokerError> {
        let (current, mut behind) = (self.context.assignment(), BTreeMap::new());
        let settled = self.unsettled.iter().take_while(|message| message.position.0 <= last.0).count();
        for stored in self.unsettled.drain(..settled) {
            // A partition that was taken away is another member's, or begins again behind what is committed.
            if stored.assignment == current {
                behind.insert(stored.partition, stored.offset + 1);
            }
        }
        if behind.is_empty() {
            return Ok(());
        }
        let (consumer, topic) = (Arc::clone(self.client.held()?), self.from.topic.clone());
        let committed = beside(move || {
            let mut offsets = TopicPartitionList::with_capacity(behind.len());
            for (partition, offset) in behind {
                let added = offsets.add_partition_offset(&topic, partition, Offset::Offset(offset));
                added.map_err(|error| said(&error))?;
            }
            judge(consumer.commit(&offsets, CommitMode::Sync))
        });
        let silent = || BrokerError(format!("the broker did not answer within {} s", SETTLING.as_secs()));
        timeout(SETTLING, committed).await.unwrap_or_else(|_| Err(silent()))
    }

    async fn close(self) {
        // It leaves the group, so that its partitions are another member's at once.
        self.client.end().await;
    }
}

/// What became of a commit. While partitions are shared out anew, or after that, it is refused, and the messages come
/// again, to this member or to another one. That changes nothing.
fn judge(committed: KafkaResult<()>) -> Result<(), BrokerError> {
    match committed {
        Err(KafkaError::ConsumerCommit(
            code @ (RDKafkaErrorCode::RebalanceInProgress
            | RDKafkaErrorCode::IllegalGeneration
            | RDKafkaErrorCode::UnknownMemberId),
        )) => {
            log::debug!("Kafka: messages come again: {code}");
            Ok(())
        }
        committed => committed.map_err(|error| said(&error)),
    }
}

impl KafkaSession {
    fn take(&mut self, arrived: Arrived) -> Message {
        let Arrived { partition, offset, id, body } = arrived;
        self.last += 1;
        let position = Position(self.last);
        let assignment = self.context.assignment();
        self.unsettled.push_back(Unsettled { position, assignment, partition, offset });
        Message { position, id, body }
    }
}

/// A message outside of the library.
struct Arrived {
    partition: i32,
    offset: i64,
    id: Option<String>,
    body: Bytes,
}

impl Arrived {
    /// What the consumer has returned. `None` for an error that does not end the session.
    fn of(
        next: KafkaResult<BorrowedMessage<'_>>,
        header: &str,
        context: &Context,
    ) -> Result<Option<Self>, BrokerError> {
        match next {
            Ok(message) => Ok(Some(Self {
                partition: message.partition(),
                offset: message.offset(),
                id: name(&message, header),
                body: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
            })),
            Err(_) => context.check().map(|()| None), // the context has heard of it
        }
    }
}

/// The name that the producer gave a message.
fn name(message: &BorrowedMessage<'_>, header: &str) -> Option<String> {
    // Other bytes than UTF-8 are no name, and are refused as an empty one is.
    last_header(message, header).map(|name| String::from_utf8(name.to_vec()).unwrap_or_default())
}
