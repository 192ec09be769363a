//! A plain client of the broker.

use std::{collections::BTreeMap, io, time::Duration};

use futures_util::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};
use tokio::time::timeout;

/// A message: its name, if it has one, and its bytes.
pub type Message = (Option<String>, Vec<u8>);

/// How long an answer of the broker may take. lapin itself would wait for ever after some ends of a connection.
const ANSWER: Duration = Duration::from_secs(30);

/// Runs `work` over a new connection.
pub fn run<T>(url: &str, work: impl AsyncFnOnce(&Channel) -> lapin::Result<T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let connection = within(Connection::connect(url, ConnectionProperties::default())).await?;
        let channel = within(connection.create_channel()).await?;
        let result = work(&channel).await.map_err(|error| error.to_string());
        let _ = within(connection.close(200, "done".into())).await; // it may be gone
        result
    })
}

/// The answer, which must come in time, or the connection is over.
pub async fn within<T>(answer: impl Future<Output = lapin::Result<T>>) -> Result<T, String> {
    match timeout(ANSWER, answer).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

/// The same inside of [`run`].
pub async fn timely<T>(answer: impl Future<Output = lapin::Result<T>>) -> lapin::Result<T> {
    let silent = || io::Error::from(io::ErrorKind::TimedOut).into();
    timeout(ANSWER, answer).await.unwrap_or_else(|_| Err(silent()))
}

/// Declares a quorum queue.
pub fn declare(url: &str, queue: &str) {
    declare_with(url, queue, &[("x-queue-type", AMQPValue::LongString("quorum".into()))]);
}

/// Declares a durable queue with these arguments.
pub fn declare_with(url: &str, queue: &str, arguments: &[(&str, AMQPValue)]) {
    let arguments = arguments.iter().map(|(name, value)| ((*name).into(), value.clone()));
    let arguments = FieldTable::from(arguments.collect::<BTreeMap<_, _>>());
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    run(url, async |channel| channel.queue_declare(queue.into(), options, arguments).await).unwrap();
}

/// How many messages are ready.
pub fn ready(url: &str, queue: &str) -> u32 {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let declared =
        run(url, async |channel| channel.queue_declare(queue.into(), options, FieldTable::default()).await);
    declared.unwrap().message_count()
}

/// Publishes messages, and waits until the broker has confirmed each of them.
pub fn publish(url: &str, queue: &str, messages: &[Message]) {
    run(url, async |channel| {
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        for chunk in messages.chunks(200) {
            let mut confirms = Vec::new();
            for (id, body) in chunk {
                confirms.push(send(channel, queue, id.as_deref(), body).await?);
            }
            for confirm in confirms {
                assert!(confirm.await?.is_ack());
            }
        }
        Ok(())
    })
    .unwrap();
}

/// Takes `count` messages out of a queue as fast as the broker gives them, and acknowledges each `chunk` of them at once. Two
/// chunks are under way, as in the product.
pub fn take(url: &str, queue: &str, count: u64, chunk: u16) {
    run(url, async |channel| {
        channel.basic_qos(2 * chunk, BasicQosOptions::default()).await?;
        let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
        let mut messages = channel.basic_consume(queue.into(), "taker".into(), options, arguments).await?;
        for number in 1..=count {
            let message = messages.next().await.expect("the consumer ended")?;
            if number % u64::from(chunk) == 0 || number == count {
                channel.basic_ack(message.delivery_tag, BasicAckOptions { multiple: true }).await?;
            }
        }
        Ok(())
    })
    .unwrap();
}

/// Sends a message that is to be confirmed.
pub async fn send(
    channel: &Channel,
    queue: &str,
    id: Option<&str>,
    body: &[u8],
) -> lapin::Result<lapin::PublisherConfirm> {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let properties = match id {
        Some(id) => properties.with_message_id(id.into()),
        None => properties,
    };
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    channel.basic_publish("".into(), queue.into(), options, body, properties).await
}

/// So many messages with names and bytes of their own.
pub fn numbered(prefix: &str, count: usize) -> Vec<Message> {
    (0..count)
        .map(|n| (Some(format!("{prefix}-{n}")), format!("payload of {prefix}-{n}").into_bytes()))
        .collect()
}
