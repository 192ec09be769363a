//! Listening: a thread that waits for notifications from the database, so that Emit looks at once instead of at its
//! next poll.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use super::{news::News, outage::Outage};
use crate::store::Listener;

/// Passes notifications on until it is dropped. Polls find the records whose notification was missed.
pub struct Listening {
    /// Dropping it ends the thread.
    run: Option<Sender<()>>,
    /// Closed when the thread ends.
    gone: Receiver<()>,
}

/// How long the thread waits at a time. After the run it ends within this time.
const TURN: Duration = Duration::from_millis(100);

impl Listening {
    /// Starts the thread. It notifies `news` whenever `listener` has a notification.
    ///
    /// # Errors
    /// When the operating system refuses to start a thread.
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
    /// Waits for the thread, so that it can close its connection. The wait is limited, because a thread that hangs
    /// in a call to the database must not keep the process alive.
    fn drop(&mut self) {
        self.run = None;
        // Nothing is sent through the channel. The call returns when the thread has ended, or the time is over.
        let _ = self.gone.recv_timeout(2 * TURN);
    }
}

/// Nothing is sent through `ended`. It is closed when the thread must end.
fn listen(mut listener: Box<dyn Listener>, news: &News, ended: &Receiver<()>) {
    let mut outage = Outage::default();
    let mut pause = Duration::ZERO;
    while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        let heard = listener.wait(TURN);
        outage.note("listen for new records", &heard);
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
