//! A consumer that goes by the ids of the messages, and by nothing else.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use async_nats::{
    header::NATS_MESSAGE_ID,
    jetstream::{Context, stream::LastRawMessageErrorKind::NoMessageFound},
};
use lapin::{
    Channel,
    message::BasicGetMessage,
    options::{BasicAckOptions, BasicGetOptions},
};
use serde_json::Value;
use support::{amqp, jetstream, waiting::lasting};

/// What a consumer has seen.
#[derive(Clone, Default)]
pub struct Log {
    /// The rows of the messages, in the order of the feed, up to the first that is missing.
    pub rows: Vec<Value>,
    /// The bodies of all messages, by their ids.
    pub bodies: HashMap<String, Vec<u8>>,
    /// The id of the last message in `rows`.
    last: Option<String>,
    /// Messages that came again.
    pub repeated: usize,
    /// Messages that came before one that is in front of them in the feed. The broker has refused that one, or had delivered it
    /// before it was killed, and delivers it again later than what is behind it.
    pub early: usize,
    /// The ids and the rows of those whose turn has not come, by the id of the message before each.
    waiting: HashMap<String, (String, Vec<Value>)>,
}

/// A consumer at work.
pub struct Consumer {
    log: Arc<Mutex<Log>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Consumer {
    /// Starts one that acknowledges each message of a queue.
    pub fn start(url: &str, queue: &str) -> Self {
        Self::slow(url, queue, Duration::ZERO)
    }

    /// Starts one that rests after each message.
    pub fn slow(url: &str, queue: &str, pause: Duration) -> Self {
        let (url, queue) = (url.to_owned(), queue.to_owned());
        Self::of(move |log, stopped| {
            // Without a broker, or a queue, again.
            let _ = amqp::run(&url, async |channel| consume(channel, &queue, log, stopped, pause).await);
        })
    }

    /// Starts one that reads a stream of NATS from its beginning, whatever is in it.
    pub fn of_stream(url: &str, stream: &str) -> Self {
        let (url, stream, next) = (url.to_owned(), stream.to_owned(), AtomicU64::new(1));
        Self::of(move |log, stopped| {
            // Without a server, or a stream, again.
            let _ = jetstream::run(&url, async |context| read(context, &stream, &next, log, stopped).await);
        })
    }

    /// Starts one that does this again and again.
    fn of(work: impl Fn(&Mutex<Log>, &AtomicBool) + Send + 'static) -> Self {
        let mut this = Self { log: Arc::default(), stopped: Arc::default(), thread: None };
        let (log, stopped) = (Arc::clone(&this.log), Arc::clone(&this.stopped));
        this.thread = Some(thread::spawn(move || {
            while !stopped.load(SeqCst) {
                work(&log, &stopped);
                lasting(Duration::from_millis(50));
            }
        }));
        this
    }

    /// What it has seen.
    pub fn log(&self) -> Log {
        self.lock().clone()
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.lock().rows.len()
    }

    /// Forgets everything, as a consumer does that begins anew.
    pub fn forget(&self) {
        *self.lock() = Log::default();
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.stopped.store(true, SeqCst);
        if thread::panicking()
            && let Ok(log) = self.log.lock()
        {
            let (rows, messages) = (log.rows.len(), log.bodies.len());
            println!(
                "the consumer has {rows} rows in {messages} messages, {} came again, {} early; the last is {:?}",
                log.repeated, log.early, log.last
            );
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !thread::panicking()
        {
            panic!("the consumer has panicked");
        }
    }
}

async fn consume(
    channel: &Channel,
    queue: &str,
    log: &Mutex<Log>,
    stopped: &AtomicBool,
    pause: Duration,
) -> lapin::Result<()> {
    while !stopped.load(SeqCst) {
        let got = amqp::timely(channel.basic_get(queue.into(), BasicGetOptions::default())).await?;
        let Some(message) = got else {
            lasting(Duration::from_millis(5));
            continue;
        };
        take(&mut log.lock().unwrap(), &message);
        amqp::timely(message.delivery.acker.ack(BasicAckOptions::default())).await?;
        lasting(pause);
    }
    Ok(())
}

fn take(log: &mut Log, message: &BasicGetMessage) {
    let properties = &message.delivery.properties;
    assert_eq!(properties.content_type().as_ref().unwrap().as_str(), "application/cloudevents+json");
    assert_eq!(*properties.delivery_mode(), Some(2), "the broker writes it to its disk");
    log.take(properties.message_id().as_ref().unwrap().as_str(), &message.delivery.data);
}

/// Reads the messages of a stream one after the other, from `next` on. Those of other subjects than `STREAM.out` are not for
/// it.
async fn read(
    context: &Context,
    stream: &str,
    next: &AtomicU64,
    log: &Mutex<Log>,
    stopped: &AtomicBool,
) -> Result<(), async_nats::Error> {
    let subject = format!("{stream}.out");
    let stream = jetstream::within(async { Ok(context.get_stream(stream).await?) }).await?;
    while !stopped.load(SeqCst) {
        let message =
            match jetstream::within(async { Ok(stream.get_raw_message(next.load(SeqCst)).await) }).await? {
                Ok(message) => message,
                Err(error) if error.kind() == NoMessageFound => {
                    lasting(Duration::from_millis(10));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
        if *message.subject == *subject {
            log.lock()
                .unwrap()
                .take(message.headers.get(NATS_MESSAGE_ID).unwrap().as_str(), &message.payload);
        }
        next.fetch_add(1, SeqCst);
    }
    Ok(())
}

impl Log {
    fn take(&mut self, id: &str, body: &[u8]) {
        let event: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(event["id"], id);
        if let Some(first) = self.bodies.get(id) {
            assert_eq!(first, body, "what comes again has the same bytes");
            self.repeated += 1;
            return;
        }
        assert!(body.len() <= 64 << 10, "{} bytes", body.len());
        let (after, rows) = (event["after"].as_str().unwrap(), event["data"].as_array().unwrap());
        assert_eq!(rows.last().unwrap()["position"], id, "the id is the position of the last row");
        self.bodies.insert(id.to_owned(), body.to_vec());
        // The first message begins wherever the destination begins.
        self.early += usize::from(self.last.get_or_insert_with(|| after.to_owned()) != after);
        let another = self.waiting.insert(after.to_owned(), (id.to_owned(), rows.clone()));
        assert!(another.is_none(), "two messages go on behind {after}");
        while let Some((id, rows)) = self.last.as_ref().and_then(|last| self.waiting.remove(last)) {
            self.rows.extend(rows);
            self.last = Some(id);
        }
    }
}
