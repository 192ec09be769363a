//! A producer in another process. It writes the name of a message into a journal once the broker has confirmed it, and
//! sends again what was not confirmed.

use std::{
    collections::{BTreeSet, VecDeque},
    env,
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use async_nats::jetstream::Context;
use lapin::{Channel, options::ConfirmSelectOptions};
use support::{
    jetstream,
    waiting::{lasting, until},
};

use crate::{SOON, client};

/// A producer at work.
pub struct Producer {
    child: Child,
    journal: PathBuf,
}

impl Producer {
    /// Starts one that sends messages to `queue`, or to the stream of this name, without end, every fourth of them twice. Its names begin with `prefix`.
    pub fn start(url: &str, queue: &str, prefix: &str, folder: &Path) -> Self {
        let journal = folder.join(format!("journal-{prefix}"));
        File::create(&journal).unwrap();
        let child = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "producer::sends_until_it_is_told_to_stop", "--nocapture"])
            .envs([("PRODUCER_URL", url), ("PRODUCER_QUEUE", queue), ("PRODUCER_PREFIX", prefix)])
            .env("PRODUCER_JOURNAL", &journal)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, journal }
    }

    /// How many messages are confirmed.
    pub fn confirmed(&self) -> usize {
        std::fs::read_to_string(&self.journal).unwrap().lines().count()
    }

    /// Lets it finish what it has begun; returns the names of all messages, each of which is confirmed.
    pub fn finish(mut self) -> BTreeSet<String> {
        drop(self.child.stdin.take());
        until("the producer has finished", SOON, || self.child.try_wait().unwrap().is_some());
        assert!(self.child.wait().unwrap().success());
        let journal = std::fs::read_to_string(&self.journal).unwrap();
        journal.lines().map(str::to_owned).collect()
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

/// Messages under way at a time.
const WINDOW: usize = 100;

/// Not a test: the process that others start.
#[test]
#[ignore = "run by another test"]
fn sends_until_it_is_told_to_stop() {
    let [url, queue, prefix, journal] =
        ["URL", "QUEUE", "PREFIX", "JOURNAL"].map(|name| env::var(format!("PRODUCER_{name}")).unwrap());
    let stopped = Arc::new(AtomicBool::new(false));
    let stops = Arc::clone(&stopped);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_line(&mut String::new()); // until it is closed
        stops.store(true, SeqCst);
    });
    let mut work = Work {
        prefix,
        journal: OpenOptions::new().append(true).open(journal).unwrap(),
        stopped,
        unconfirmed: VecDeque::new(),
        next: 0,
    };
    while !work.is_done() {
        let sent = match url.starts_with("nats:") {
            true => jetstream::run(&url, async |context| {
                work.send_windows(async |messages| to_stream(context, &queue, messages).await).await;
                Ok(())
            }),
            false => client::run(&url, async |channel| {
                channel.confirm_select(ConfirmSelectOptions::default()).await?;
                work.send_windows(async |messages| to_queue(channel, &queue, messages).await).await;
                Ok(())
            }),
        };
        if sent.is_err() {
            lasting(Duration::from_millis(100)); // the broker is away
        }
    }
}

/// What the process has done and still has to do.
struct Work {
    prefix: String,
    journal: File,
    stopped: Arc<AtomicBool>,
    unconfirmed: VecDeque<usize>,
    next: usize,
}

impl Work {
    fn is_done(&self) -> bool {
        self.stopped.load(SeqCst) && self.unconfirmed.is_empty()
    }

    /// Sends window after window over one connection, as long as it lasts. `send` waits for the confirms.
    async fn send_windows(&mut self, send: impl AsyncFn(&[(String, String)]) -> Result<(), String>) {
        let mut pace = tokio::time::interval(Duration::from_millis(50));
        while !self.is_done() {
            while self.unconfirmed.len() < WINDOW && !self.stopped.load(SeqCst) {
                self.unconfirmed.push_back(self.next);
                self.next += 1;
            }
            let messages = self.unconfirmed.iter().flat_map(|number| {
                let message =
                    (format!("{}-{number}", self.prefix), format!("payload {}-{number}", self.prefix));
                std::iter::repeat_n(message, if number % 4 == 0 { 2 } else { 1 })
            });
            if send(&messages.collect::<Vec<_>>()).await.is_err() {
                return; // once more, over another connection
            }
            // In one go, so that no name is written by half when this process is killed.
            let names: String =
                self.unconfirmed.drain(..).map(|number| format!("{}-{number}\n", self.prefix)).collect();
            self.journal.write_all(names.as_bytes()).unwrap();
            pace.tick().await;
        }
    }
}

async fn to_queue(channel: &Channel, queue: &str, messages: &[(String, String)]) -> Result<(), String> {
    let window = async {
        let mut confirms = Vec::new();
        for (id, body) in messages {
            confirms.push(client::send(channel, queue, Some(id), body.as_bytes()).await?);
        }
        for confirm in confirms {
            assert!(confirm.await?.is_ack());
        }
        Ok(())
    };
    client::within(window).await
}

async fn to_stream(context: &Context, stream: &str, messages: &[(String, String)]) -> Result<(), String> {
    let window = async {
        let mut acks = Vec::new();
        for (id, body) in messages {
            acks.push(jetstream::send(context, stream, Some(id), body.as_bytes()).await?);
        }
        for ack in acks {
            ack.await?;
        }
        Ok(())
    };
    jetstream::within(window).await.map_err(|error| error.to_string())
}
