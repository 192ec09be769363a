//! A consumer that goes by the ids of the messages, and by nothing else.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use lapin::{
    Channel,
    message::BasicGetMessage,
    options::{BasicAckOptions, BasicGetOptions},
};
use serde_json::Value;
use support::{amqp, waiting::lasting};

/// What a consumer has seen.
#[derive(Clone, Default)]
pub struct Log {
    /// The rows of the messages that it took, in the order in which they came.
    pub rows: Vec<Value>,
    /// The bodies of these messages, by their ids.
    pub bodies: HashMap<String, Vec<u8>>,
    /// The id of the last one.
    pub last: Option<String>,
    /// Messages that came again.
    pub repeated: usize,
    /// Messages that came before one that the broker refused, or lost when it was killed. They come again.
    pub early: usize,
}

/// A consumer at work. It acknowledges each message.
pub struct Consumer {
    log: Arc<Mutex<Log>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Consumer {
    /// Starts one.
    pub fn start(url: &str, queue: &str) -> Self {
        Self::slow(url, queue, Duration::ZERO)
    }

    /// Starts one that rests after each message.
    pub fn slow(url: &str, queue: &str, pause: Duration) -> Self {
        let mut this = Self { log: Arc::default(), stopped: Arc::default(), thread: None };
        let (log, stopped) = (Arc::clone(&this.log), Arc::clone(&this.stopped));
        let (url, queue) = (url.to_owned(), queue.to_owned());
        this.thread = Some(thread::spawn(move || {
            while !stopped.load(SeqCst) {
                // Without a broker, or a queue, again.
                let _ =
                    amqp::run(&url, async |channel| consume(channel, &queue, &log, &stopped, pause).await);
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
        log.lock().unwrap().take(&message);
        amqp::timely(message.delivery.acker.ack(BasicAckOptions::default())).await?;
        lasting(pause);
    }
    Ok(())
}

impl Log {
    fn take(&mut self, message: &BasicGetMessage) {
        let properties = &message.delivery.properties;
        let id = properties.message_id().as_ref().unwrap().as_str().to_owned();
        let body = &message.delivery.data;
        let event: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(event["id"], id.as_str());
        if let Some(first) = self.bodies.get(&id) {
            assert_eq!(first, body, "what comes again has the same bytes");
            self.repeated += 1;
            return;
        }
        let after = event["after"].as_str().unwrap();
        // The first message begins wherever the destination begins.
        if self.last.as_deref().is_some_and(|last| last != after) {
            self.early += 1;
            return;
        }
        assert_eq!(properties.content_type().as_ref().unwrap().as_str(), "application/cloudevents+json");
        assert_eq!(*properties.delivery_mode(), Some(2), "the broker writes it to its disk");
        assert!(body.len() <= 64 << 10, "{} bytes", body.len());
        let rows = event["data"].as_array().unwrap();
        assert_eq!(rows.last().unwrap()["position"], id.as_str(), "the id is the position of the last row");
        self.rows.extend(rows.iter().cloned());
        self.last = Some(id.clone());
        self.bodies.insert(id, body.clone());
    }
}
