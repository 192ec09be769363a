//! A plain client of NATS JetStream.

use std::time::Duration;

use async_nats::{
    ConnectOptions,
    jetstream::{
        self, Context,
        consumer::{PullConsumer, pull},
        context::PublishAckFuture,
        message::PublishMessage,
        stream::Config,
    },
};
use tokio::time::timeout;

use crate::amqp::Message;

/// How long an answer of the server may take.
const ANSWER: Duration = Duration::from_secs(30);

/// Runs `work` over a new connection to `nats://USER:PASSWORD@HOST:PORT`, or with a token as the user.
pub fn run<T>(
    url: &str,
    work: impl AsyncFnOnce(&Context) -> Result<T, async_nats::Error>,
) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // The library takes no user out of an address.
        let (user, place) = url.trim_start_matches("nats://").split_once('@').unwrap();
        let options = match user.split_once(':') {
            Some((user, password)) => ConnectOptions::with_user_and_password(user.into(), password.into()),
            None => ConnectOptions::with_token(user.into()),
        };
        let client = within(async { Ok(options.max_reconnects(1).connect(place).await?) }).await;
        let context = jetstream::new(client.map_err(|error| error.to_string())?);
        work(&context).await.map_err(|error| error.to_string())
    })
}

/// The answer, which must come in time.
pub async fn within<T>(
    answer: impl Future<Output = Result<T, async_nats::Error>>,
) -> Result<T, async_nats::Error> {
    timeout(ANSWER, answer).await.unwrap_or_else(|_| Err("no answer in time".into()))
}

/// Makes a stream in files, which takes all subjects below its own name.
pub fn make_stream(url: &str, name: &str) {
    make_stream_with(url, Config { name: name.to_owned(), ..Config::default() });
}

/// Makes a stream which takes all subjects below its own name.
pub fn make_stream_with(url: &str, config: Config) {
    let subjects = vec![format!("{}.>", config.name)];
    let config = Config { subjects, ..config };
    run(url, async |context| Ok(context.create_stream(config).await.map(drop)?)).unwrap();
}

/// Makes a durable consumer `intake` of a stream, with explicit acknowledgements. A message that is not acknowledged comes
/// again after this time.
pub fn make_consumer(url: &str, stream: &str, again: Duration) {
    let config = pull::Config { ack_wait: again, max_ack_pending: -1, ..pull::Config::default() };
    make_consumer_with(url, stream, "intake", config);
}

/// Makes a durable consumer of a stream.
pub fn make_consumer_with(url: &str, stream: &str, name: &str, config: pull::Config) {
    let config = pull::Config { durable_name: Some(name.to_owned()), ..config };
    run(url, async |context| Ok(context.create_consumer_on_stream(config, stream).await.map(drop)?)).unwrap();
}

/// Publishes messages to the subject `STREAM.in`, and waits until each of them is acknowledged.
pub fn publish(url: &str, stream: &str, messages: &[Message]) {
    run(url, async |context| {
        for chunk in messages.chunks(200) {
            let mut acks = Vec::new();
            for (id, body) in chunk {
                acks.push(send(context, stream, id.as_deref(), body).await?);
            }
            for ack in acks {
                within(async { Ok(ack.await?) }).await?;
            }
        }
        Ok(())
    })
    .unwrap();
}

/// Sends a message that is to be acknowledged.
pub async fn send(
    context: &Context,
    stream: &str,
    id: Option<&str>,
    body: &[u8],
) -> Result<PublishAckFuture, async_nats::Error> {
    let message = PublishMessage::build().payload(body.to_vec().into());
    let message = match id {
        Some(id) => message.message_id(id),
        None => message,
    };
    Ok(context.send_publish(format!("{stream}.in"), message).await?)
}

/// The messages of the consumer `intake` by the server's own count: those that it has not handed out, and those that it has
/// and that are not acknowledged.
pub fn counts(url: &str, stream: &str) -> (u64, u64) {
    run(url, async |context| {
        let mut consumer: PullConsumer = context.get_consumer_from_stream("intake", stream).await?;
        let info = consumer.info().await?;
        Ok((info.num_pending, info.num_ack_pending as u64))
    })
    .unwrap()
}
