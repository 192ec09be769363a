//! The stop signal, handed in by whoever runs the service.

use std::sync::Arc;

use tokio::sync::watch;

/// A stop that can be asked for once (in order) or twice (at once). Clones are the same signal.
#[derive(Clone)]
pub struct Stop {
    requests: Arc<watch::Sender<u8>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { requests: Arc::new(watch::Sender::new(0)) }
    }
}

impl Stop {
    /// Asks for a stop; asking again asks for an immediate one.
    pub fn request(&self) {
        self.requests.send_modify(|requests| *requests = requests.saturating_add(1));
    }

    /// Turns each SIGINT and SIGTERM of this process into a request, for as long as it is polled.
    ///
    /// # Errors
    /// When the operating system refuses a signal handler.
    pub async fn on_signals(self) -> std::io::Result<()> {
        use actix_rt::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        loop {
            tokio::select! {
                _ = interrupt.recv() => self.request(),
                _ = terminate.recv() => self.request(),
            }
        }
    }

    /// Returns once a stop was asked for `times` times.
    pub async fn requested(&self, times: u8) {
        // The sender lives in self, so that waiting cannot fail.
        drop(self.requests.subscribe().wait_for(|requests| *requests >= times).await);
    }
}
