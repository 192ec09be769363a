//! Webhooks beside a run: their start and their end.

use std::{sync::Arc, time::Duration};

use actix::Addr;
use actix_rt::{task::JoinHandle, time::timeout};

use super::{client::Client, counters::Counters, links::Links, service};
use crate::{
    actors::{Parts, Stop, clock, db_executor::DbExecutor},
    domain::{By, Who},
    signer::Keyring,
};

/// How long a stop waits for messages that are under way, and for the database.
const ENDING: Duration = Duration::from_secs(10);

/// Webhooks at work.
pub struct Sending {
    task: JoinHandle<()>,
    stop: Stop,
    /// That of the run.
    run: Stop,
    counters: Arc<Counters>,
}

impl Sending {
    /// Starts sending, beside a run with these `parts`. `transactions` are the run's database threads, and `keyring` opens
    /// the secrets. To be called inside an actix system.
    pub fn start(parts: &Parts, transactions: &Addr<DbExecutor>, keyring: &Arc<Keyring>) -> Self {
        let (stop, counters) = (Stop::default(), Arc::<Counters>::default());
        let task = actix_rt::spawn(service::run(Links {
            db: transactions.clone(),
            keyring: Arc::clone(keyring),
            vitals: parts.vitals.clone(),
            commits: parts.commits.clone(),
            events: parts.events.clone(),
            stop: stop.clone(),
            counters: Arc::clone(&counters),
            client: Client::default(),
            by: By::without_request(Who::Node(parts.settings.node_name.clone())),
            clock: clock::boottime(),
            hold: Links::hold(parts.settings.lease_ttl),
        }));
        Self { task, stop, run: parts.stop.clone(), counters }
    }

    /// What it does.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Ends it, and waits for the messages that are under way, unless the run was asked to stop at once.
    pub async fn end(self) {
        self.stop.request();
        tokio::select! {
            _ = timeout(ENDING, self.task) => {}
            () = self.run.requested(3) => {}
        }
    }
}
