//! How long a stop waits for the batches in hand.

use std::time::Duration;

use actix_rt::time::sleep;

use super::{standing::Standing, stop::Stop};
use crate::config::Settings;

/// A stop waits for batches that are being signed, at most as long as the grace. If nothing is being signed any more,
/// or the database cannot be reached, it waits only as long as the last transactions may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    grace: Duration,
    storing: Duration,
}

/// The time for the last transactions, in addition to the time for storing records.
const SETTLING: Duration = Duration::from_secs(2);

/// How long storing a record takes at most, on a busy machine with a slow disk.
const STORED_IN: Duration = Duration::from_micros(100);

/// How often the stop checks whether something is still being signed.
const LOOK: Duration = Duration::from_millis(50);

impl Patience {
    /// For a node that signs `threads` batches at a time.
    pub(super) fn of(settings: &Settings, threads: usize) -> Self {
        let begun = threads.saturating_mul(settings.batch_size);
        let storing = SETTLING + STORED_IN * u32::try_from(begun).unwrap_or(u32::MAX);
        Self { grace: settings.stop_grace, storing }
    }

    /// Logs what the stop waits for.
    pub(super) fn announce(self, standing: &Standing) {
        let workload = standing.workload();
        let (batches, grace) = (workload.batches(), self.grace);
        if batches == 0 {
            return;
        }
        let time = match workload.time_left(standing.now()) {
            Some(left) if left > grace => {
                format!(
                    "which takes about {} s, longer than this stop waits (stop-grace {grace:?})",
                    seconds(left)
                )
            }
            Some(left) => format!("which takes about {} s", seconds(left)),
            None => format!("which may take up to {grace:?} (stop-grace)"),
        };
        log::info!(
            "stopping: finishing the {batches} batches that are being signed, {time}; a second signal gives them back"
        );
    }

    /// Returns when the stop must no longer wait for the batches in hand.
    pub(super) async fn lasts(self, standing: &Standing, stop: &Stop) {
        tokio::select! {
            biased;
            () = stop.requested(2) => log::info!("second stop request: batches that are being signed are given back"),
            () = sleep(self.grace) => match standing.workload().batches() {
                0 => {}
                batches => log::warn!(
                    "{batches} batches were not signed within {:?} (stop-grace) and are given back; their signatures \
                     so far are discarded: raise stop-grace (a smaller batch-size changes only batches that are \
                     formed later)",
                    self.grace
                ),
            },
            () = self.nothing_to_wait_for(standing) => {}
        }
    }

    async fn nothing_to_wait_for(self, standing: &Standing) {
        let (mut idle, mut away) = (Duration::ZERO, Duration::ZERO);
        while idle < self.storing && away < SETTLING {
            sleep(LOOK).await;
            idle = if standing.workload().batches() == 0 { idle + LOOK } else { Duration::ZERO };
            away = if standing.is_away() { away + LOOK } else { Duration::ZERO };
        }
    }
}

fn seconds(time: Duration) -> u64 {
    time.as_secs_f64().ceil() as u64
}
