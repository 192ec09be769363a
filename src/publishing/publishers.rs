//! Publishers beside a run: their start and their end.

use std::{sync::Arc, time::Duration};

use actix::Addr;
use actix_rt::{task::JoinHandle, time::timeout};

use super::{Address, counters::Counters, links::Links};
use crate::{
    actors::{Parts, Stop, db_executor::DbExecutor},
    store::Store,
};

/// How long a stop waits for the confirms of what was sent, and for the brokers.
const ENDING: Duration = Duration::from_secs(10);

/// The longest claim of an outlet. A node that was killed is replaced after so long.
const HOLD: Duration = Duration::from_secs(10);

/// Publishers at work.
pub struct Publishing {
    tasks: Vec<JoinHandle<()>>,
    /// That of the publishers: they end with the run, also when the run ends by itself.
    stop: Stop,
    /// That of the run.
    run: Stop,
    counters: Vec<Arc<Counters>>,
}

impl Publishing {
    /// Starts a publisher for each address, beside a run with these `parts` over `store`. `transactions` are the run's
    /// database threads. To be called inside an actix system.
    pub fn start(
        addresses: Vec<Address>,
        parts: &Parts,
        store: &Arc<dyn Store>,
        transactions: &Addr<DbExecutor>,
    ) -> Self {
        let (stop, run) = (Stop::default(), parts.stop.clone());
        let mut this = Self { tasks: Vec::new(), stop, run, counters: Vec::new() };
        if addresses.is_empty() {
            return this;
        }
        let (vitals, reads) = (parts.vitals.clone(), DbExecutor::start(store, 1));
        let links = |counters| Links {
            db: transactions.clone(),
            reads: reads.clone(),
            commits: parts.commits.clone(),
            node: {
                let vitals = vitals.clone();
                Arc::new(move || vitals.node())
            },
            hold: parts.settings.lease_ttl.min(HOLD),
            stop: this.stop.clone(),
            counters,
        };
        for address in addresses {
            let counters = Arc::new(Counters::new(&address.to_string()));
            this.tasks.push(actix_rt::spawn(address.publish(links(Arc::clone(&counters)))));
            this.counters.push(counters);
        }
        let (ends, ended) = (this.run.clone(), this.stop.clone());
        actix_rt::spawn(async move {
            ends.requested(1).await;
            ended.request();
        });
        this
    }

    /// What each of them does.
    pub fn counters(&self) -> &[Arc<Counters>] {
        &self.counters
    }

    /// Ends them, and waits for the confirms of what was sent, unless the run was asked to stop at once.
    pub async fn end(self) {
        self.stop.request();
        let all = async {
            for task in self.tasks {
                drop(task.await); // a panic was logged
            }
        };
        let ended = tokio::select! {
            ended = timeout(ENDING, all) => ended.is_ok(),
            () = self.run.requested(3) => false,
        };
        if !ended {
            log::warn!(
                "the publishers did not end in time: what was not confirmed is sent again after the next start"
            );
        }
    }
}
