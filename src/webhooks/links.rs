//! What the webhooks work with.

use std::{sync::Arc, time::Duration};

use actix::Addr;

use super::{client::Client, counters::Counters};
use crate::{
    actors::{Commits, Events, Stop, Vitals, clock::Clock, db_executor::DbExecutor},
    domain::By,
    signer::Keyring,
    store::OutletRow,
};

/// What the webhooks work with.
#[derive(Clone)]
pub(super) struct Links {
    /// The run's database threads. They are a queue, so that the webhooks keep no commit waiting for long.
    pub(super) db: Addr<DbExecutor>,
    /// Opens the secrets.
    pub(super) keyring: Arc<Keyring>,
    /// Says which node this process is.
    pub(super) vitals: Vitals,
    /// Tells of new batches.
    pub(super) commits: Commits,
    /// Is told of webhooks that are disabled.
    pub(super) events: Events,
    /// Ends the webhooks.
    pub(super) stop: Stop,
    /// Are told what becomes of messages.
    pub(super) counters: Arc<Counters>,
    /// Sends.
    pub(super) client: Client,
    /// Who changes a webhook.
    pub(super) by: By,
    /// CLOCK_BOOTTIME.
    pub(super) clock: Clock,
    /// How long a webhook is held.
    pub(super) hold: Duration,
}

impl Links {
    /// How long a request may take. The rest of the hold is for the database.
    pub(super) fn limit(&self) -> Duration {
        (self.hold * 2 / 3).min(Self::LONGEST_REQUEST)
    }

    /// As Standard Webhooks 1.0.0 recommends.
    const LONGEST_REQUEST: Duration = Duration::from_secs(20);

    /// The hold of a process whose lease has this time to live.
    pub(super) fn hold(lease_ttl: Duration) -> Duration {
        lease_ttl.min(OutletRow::LONGEST_HOLD)
    }
}
