//! An intake beside a run: its start and its end.

use std::{future::pending, sync::Arc, time::Duration};

use actix::Addr;
use actix_rt::{task::JoinHandle, time::timeout};

use super::{Address, counters::Counters, links::Links};
use crate::actors::{Parts, Stop, db_executor::DbExecutor};

/// How long a stop waits for the chunk that is being stored, and for the broker.
const ENDING: Duration = Duration::from_secs(10);

/// An intake at work.
pub struct Taking {
    task: JoinHandle<()>,
    /// That of the intake: it ends with the run, also when the run ends by itself.
    stop: Stop,
    /// That of the run.
    run: Stop,
    counters: Arc<Counters>,
}

impl Taking {
    /// Starts taking messages in, beside a run with these `parts`. `transactions` are the run's database threads. To be
    /// called inside an actix system.
    pub fn start(address: Address, parts: &Parts, transactions: &Addr<DbExecutor>) -> Self {
        let (stop, run, counters) = (Stop::default(), parts.stop.clone(), Arc::<Counters>::default());
        let links = Links {
            db: transactions.clone(),
            news: parts.news.clone(),
            stop: stop.clone(),
            counters: Arc::clone(&counters),
        };
        let (ends, ended) = (run.clone(), stop.clone());
        let task = actix_rt::spawn(async move {
            let pass_on = async {
                ends.requested(1).await;
                ended.request();
                pending::<()>().await;
            };
            tokio::select! {
                () = address.take_in(links) => {}
                () = pass_on => {}
            }
        });
        Self { task, stop, run, counters }
    }

    /// What it does.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Ends it, and waits for the chunk that is being stored, unless the run was asked to stop at once. What is not
    /// acknowledged stays in the queue.
    pub async fn end(self) {
        self.stop.request();
        let ended = tokio::select! {
            ended = timeout(ENDING, self.task) => ended.is_ok(),
            () = self.run.requested(3) => false,
        };
        if !ended {
            log::warn!("the intake did not end in time: its messages stay in the queue");
        }
    }
}
