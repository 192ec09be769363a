//! A producer in another process. It writes the name of a message into a journal once the broker has confirmed it, and
//! sends again what was not confirmed.

use std::{
    collections::{BTreeSet, VecDeque},
    env,
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use lapin::options::ConfirmSelectOptions;
use support::waiting::{lasting, until};

use crate::{SOON, client};

/// A producer at work.
pub struct Producer {
    child: Child,
    journal: PathBuf,
}

impl Producer {
    /// Starts one that sends messages to `queue` without end, every fourth of them twice. Its names begin with `prefix`.
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
    let mut journal = OpenOptions::new().append(true).open(journal).unwrap();
    let stopped = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stops = std::sync::Arc::clone(&stopped);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_line(&mut String::new()); // until it is closed
        stops.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    let is_stopped = || stopped.load(std::sync::atomic::Ordering::SeqCst);
    let (mut unconfirmed, mut next) = (VecDeque::new(), 0);
    while !(is_stopped() && unconfirmed.is_empty()) {
        let sent = client::run(&url, async |channel| {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            let mut pace = tokio::time::interval(Duration::from_millis(50));
            while !(is_stopped() && unconfirmed.is_empty()) {
                while unconfirmed.len() < WINDOW && !is_stopped() {
                    unconfirmed.push_back(next);
                    next += 1;
                }
                let window = async {
                    let mut confirms = Vec::new();
                    for number in &unconfirmed {
                        let (id, body) = (format!("{prefix}-{number}"), format!("payload {prefix}-{number}"));
                        for _ in 0..(if number % 4 == 0 { 2 } else { 1 }) {
                            confirms.push(client::send(channel, &queue, Some(&id), body.as_bytes()).await?);
                        }
                    }
                    for confirm in confirms {
                        assert!(confirm.await?.is_ack());
                    }
                    Ok(())
                };
                if client::within(window).await.is_err() {
                    return Ok(()); // once more, over another connection
                }
                // In one go, so that no name is written by half when this process is killed.
                let names: String =
                    unconfirmed.drain(..).map(|number| format!("{prefix}-{number}\n")).collect();
                journal.write_all(names.as_bytes()).unwrap();
                pace.tick().await;
            }
            Ok(())
        });
        if sent.is_err() {
            lasting(Duration::from_millis(100)); // the broker is away
        }
    }
}
