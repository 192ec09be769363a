//! Listening: a thread that hears of news from the database, so that Emit looks at once instead of
//! at its next poll.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use super::{news::News, outage::Outage};
use crate::store::Listener;

/// Passes news on for as long as it lives. What it misses is found by polling.
pub struct Listening {
    /// Dropping it ends the thread.
    run: Option<Sender<()>>,
    /// Its other end goes with the thread.
    gone: Receiver<()>,
}

/// How long the thread waits at a time: it outlives the run by no more.
const TURN: Duration = Duration::from_millis(100);

impl Listening {
    /// Tells `news` whenever `listener` has some.
    ///
    /// # Errors
    /// When the operating system has no thread to give.
    pub fn start(listener: Box<dyn Listener>, news: News) -> std::io::Result<Self> {
        let ((run, ended), (alive, gone)) = (channel(), channel());
        thread::Builder::new().name("listen".to_owned()).spawn(move || {
            listen(listener, &news, &ended);
            drop(alive);
        })?;
        Ok(Self { run: Some(run), gone })
    }
}

impl Drop for Listening {
    /// Waits for the thread, that it may close its connection; but not for one that hangs in a call to
    /// the database: that must not keep the process alive.
    fn drop(&mut self) {
        self.run = None;
        // Nothing is ever sent: it returns when the thread is gone, or the time is over.
        let _ = self.gone.recv_timeout(2 * TURN);
    }
}

/// Nothing is ever sent through `ended`: it is its sender's end that counts.
fn listen(mut listener: Box<dyn Listener>, news: &News, ended: &Receiver<()>) {
    let mut outage = Outage::default();
    let mut pause = Duration::ZERO;
    while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        let heard = listener.wait(TURN);
        outage.note("hear of new records at once", &heard);
        pause = match heard {
            Ok(false) => Duration::ZERO,
            Ok(true) => {
                news.tell();
                Duration::ZERO
            }
            Err(_) => outage.pause(),
        };
    }
}
