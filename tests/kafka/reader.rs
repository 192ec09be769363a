//! A consumer that reads the first partition of a topic, and goes by the ids of the messages.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::{BorrowedMessage, Headers},
};
use serde_json::Value;

use crate::broker::config;

/// What it has read.
#[derive(Default)]
pub struct Log {
    /// The rows of the messages, in the order in which they came first.
    pub rows: Vec<Value>,
    /// Messages that came again.
    pub repeated: usize,
    bodies: HashMap<String, Vec<u8>>,
    last: Option<String>,
}

/// A reader at work.
pub struct Reader {
    log: Arc<Mutex<Log>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    pub fn of(place: &str, topic: &str) -> Self {
        let (log, stopped) = (Arc::<Mutex<Log>>::default(), Arc::<AtomicBool>::default());
        let mut config = config(place);
        config.set("group.id", "reader").set("enable.auto.commit", "false");
        // What the broker has deleted before it was read fails the test.
        let consumer: BaseConsumer = config.set("auto.offset.reset", "error").create().unwrap();
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(topic, 0, Offset::Offset(0)).unwrap();
        consumer.assign(&from).unwrap();
        let (logs, stops) = (Arc::clone(&log), Arc::clone(&stopped));
        let thread = thread::spawn(move || {
            while !stops.load(SeqCst) {
                // An error is that of a broker which is away.
                if let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) {
                    logs.lock().unwrap().take(&message);
                }
            }
        });
        Self { log, stopped, thread: Some(thread) }
    }

    /// What it has read.
    pub fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stopped.store(true, SeqCst);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking(), "the reader has panicked");
    }
}

impl Log {
    fn take(&mut self, message: &BorrowedMessage<'_>) {
        let body = message.payload().unwrap();
        let event: Value = serde_json::from_slice(body).unwrap();
        let header = |name| {
            let headers = message.headers().unwrap().iter();
            let values: Vec<_> = headers.filter(|one| one.key == name).collect();
            String::from_utf8(values[0].value.unwrap().to_vec()).unwrap()
        };
        let id = header("ce_id");
        assert_eq!((message.key(), &*header("content-type")), (None, "application/cloudevents+json"));
        assert_eq!(event["id"], id);
        if let Some(first) = self.bodies.get(&id) {
            assert_eq!(first, body, "what comes again has the same bytes");
            self.repeated += 1;
            return;
        }
        let after = event["after"].as_str().unwrap();
        if let Some(last) = &self.last {
            assert_eq!(
                last,
                after,
                "{id} at offset {} is not behind the one that it names",
                message.offset()
            );
        }
        assert!(body.len() <= 64 << 10, "{} bytes", body.len());
        self.rows.extend(event["data"].as_array().unwrap().iter().cloned());
        self.bodies.insert(id.clone(), body.to_vec());
        self.last = Some(id);
    }
}
