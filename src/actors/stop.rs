//! The stop signal, which the caller of the service hands in.

use std::{sync::Arc, time::Duration};

use actix_rt::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::clock;

/// A stop that can be requested three times. The first request stops in order. The second one no longer waits for
/// batches that are being signed. The third one stops at once. Clones share one signal.
#[derive(Clone)]
pub struct Stop {
    state: Arc<watch::Sender<State>>,
}

#[derive(Default)]
struct State {
    requests: u8,
    signal: Option<i32>,
}

/// The same signal again within this time does not count, because GNU timeout sends a signal both to the process
/// and to its process group.
const ECHO: Duration = Duration::from_secs(1);

impl Default for Stop {
    fn default() -> Self {
        Self { state: Arc::new(watch::Sender::new(State::default())) }
    }
}

impl Stop {
    /// Requests a stop, or a faster one if a stop was requested before.
    pub fn request(&self) {
        self.state.send_modify(|state| state.requests = state.requests.saturating_add(1));
    }

    /// Converts SIGINT and SIGTERM of this process into requests, while the future is polled.
    ///
    /// # Errors
    /// When the operating system refuses a signal handler.
    pub async fn on_signals(self) -> std::io::Result<()> {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let (clock, mut echoes) = (clock::boottime(), Echoes::default());
        loop {
            let kind = tokio::select! {
                _ = interrupt.recv() => SignalKind::interrupt(),
                _ = terminate.recv() => SignalKind::terminate(),
            };
            if !echoes.is_echo(kind.as_raw_value(), clock()) {
                self.state.send_modify(|state| _ = state.signal.get_or_insert(kind.as_raw_value()));
                self.request();
            }
        }
    }

    /// The number of the first signal that requested the stop.
    pub fn signal(&self) -> Option<i32> {
        self.state.borrow().signal
    }

    /// Returns when a stop was requested `times` times.
    pub async fn requested(&self, times: u8) {
        // `self` holds the sender, so waiting cannot fail.
        drop(self.state.subscribe().wait_for(|state| state.requests >= times).await);
    }
}

/// The last signal that counted, and its time.
#[derive(Default)]
struct Echoes(Option<(i32, Duration)>);

impl Echoes {
    fn is_echo(&mut self, signal: i32, now: Duration) -> bool {
        let is_echo = self.0.is_some_and(|(last, at)| last == signal && now < at + ECHO);
        if !is_echo {
            self.0 = Some((signal, now));
        }
        is_echo
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_signal_within_a_second_is_an_echo_and_another_is_not() {
        let (mut echoes, ms) = (Echoes::default(), Duration::from_millis);
        let heard = [(15, 0), (15, 3), (15, 999), (15, 1000), (2, 1001), (2, 1500), (15, 1501)];
        assert_eq!(
            heard.map(|(signal, at)| echoes.is_echo(signal, ms(5000 + at))),
            [false, true, true, false, false, true, false]
        );
    }
}
