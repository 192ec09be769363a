//! How long a stop waits for what is in hand.

use std::time::Duration;

use actix_rt::time::sleep;

use super::{standing::Standing, stop::Stop};
use crate::config::Settings;

/// Batches that were begun are finished, which may take as long as the grace. Where nothing is being signed
/// any more, or the database is away, it is only a matter of the last transactions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    grace: Duration,
    storing: Duration,
}

/// For the last transactions, besides what storing takes.
const SETTLING: Duration = Duration::from_secs(2);

/// How long storing a record takes at most, on a busy machine with a slow disk.
const STORED_IN: Duration = Duration::from_micros(100);

/// How often it is looked whether something is being signed.
const LOOK: Duration = Duration::from_millis(50);

impl Patience {
    pub(super) fn of(settings: &Settings) -> Self {
        let begun = settings.signers.saturating_mul(settings.batch_size);
        let storing = SETTLING + STORED_IN * u32::try_from(begun).unwrap_or(u32::MAX);
        Self { grace: settings.stop_grace, storing }
    }

    /// Says what the stop waits for.
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
            None => format!("which may take {grace:?} (stop-grace)"),
        };
        log::info!(
            "stopping: finishing the {batches} batches that are being signed, {time}; a second signal gives them back"
        );
    }

    /// Returns when the stop is to wait no longer for what is in hand.
    pub(super) async fn lasts(self, standing: &Standing, stop: &Stop) {
        tokio::select! {
            biased;
            () = stop.requested(2) => log::info!("asked once more: batches that are being signed go back"),
            () = sleep(self.grace) => match standing.workload().batches() {
                0 => {}
                batches => log::warn!(
                    "{batches} batches were not signed within {:?} (stop-grace) and go back: nothing is kept of them; \
                     raise stop-grace (a smaller batch-size changes only batches that are formed later)",
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
