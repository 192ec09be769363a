//! Listening: a thread that hears of news from the database, so that Emit looks at once instead of
//! at its next poll.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use actix::Recipient;
use actix_rt::task::JoinHandle;
use tokio::sync::Notify;

use super::{messages::Tick, outage::Outage};
use crate::store::Listener;

/// Passes news on for as long as it lives. What it misses is found by polling.
pub struct Listening {
    /// Dropping it ends the thread.
    run: Option<Sender<()>>,
    /// Its other end goes with the thread.
    gone: Receiver<()>,
    passing_on: JoinHandle<()>,
}

/// How long the thread waits at a time: it outlives the run by no more.
const TURN: Duration = Duration::from_millis(100);

impl Listening {
    /// Sends a [`Tick`] to `emit` when `listener` has news. There is one at a time: news that come
    /// while Emit looks make it look once more, however many they are.
    ///
    /// # Errors
    /// When the operating system has no thread to give.
    pub fn start(listener: Box<dyn Listener>, emit: Recipient<Tick>) -> std::io::Result<Self> {
        let ((run, ended), (alive, gone)) = (channel(), channel());
        let news = Arc::new(Notify::new());
        let told = Arc::clone(&news);
        thread::Builder::new().name("listen".to_owned()).spawn(move || {
            listen(listener, &told, &ended);
            drop(alive);
        })?;
        let passing_on = actix_rt::spawn(async move {
            loop {
                news.notified().await;
                if emit.send(Tick).await.is_err() {
                    return; // the run is over
                }
            }
        });
        Ok(Self { run: Some(run), gone, passing_on })
    }
}

impl Drop for Listening {
    /// Waits for the thread, that it may close its connection; but not for one that hangs in a call to
    /// the database: that must not keep the process alive.
    fn drop(&mut self) {
        self.passing_on.abort();
        self.run = None;
        // Nothing is ever sent: it returns when the thread is gone, or the time is over.
        let _ = self.gone.recv_timeout(2 * TURN);
    }
}

/// Nothing is ever sent through `ended`: it is its sender's end that counts.
fn listen(mut listener: Box<dyn Listener>, news: &Notify, ended: &Receiver<()>) {
    let mut outage = Outage::default();
    let mut pause = Duration::ZERO;
    while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        let heard = listener.wait(TURN);
        outage.note("hear of new records at once", &heard);
        pause = match heard {
            Ok(false) => Duration::ZERO,
            Ok(true) => {
                news.notify_one();
                Duration::ZERO
            }
            Err(_) => outage.pause(),
        };
    }
}
