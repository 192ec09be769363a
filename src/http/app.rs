//! App: what every handler works with. Clones share one state.

use std::sync::Arc;

use actix::Addr;
use tokio::sync::Semaphore;

use super::{
    budget::Budget,
    health::Failing,
    metrics::Metrics,
    problem::{Kind, Problem},
    snapshot::Snapshot,
    stopping::Stopping,
};
use crate::{
    actors::{Call, Commits, Counters, News, Parts, Vitals, db_executor::DbExecutor},
    store::{Status, Store, StoreError},
};

/// What every handler works with.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    reads: Addr<DbExecutor>,
    changes: Addr<DbExecutor>,
    waiting: Semaphore,
    parts: Parts,
    budget: Budget,
    snapshot: Snapshot,
    failing: Failing,
    metrics: Metrics,
    stopping: Stopping,
}

impl App {
    /// Threads that read for the API. They are apart from those of the actors, so that no request delays a commit.
    const READERS: usize = 2;
    /// Calls that may wait for a database thread.
    const WAITING: usize = 1024;

    /// The state of the API beside a run with these `parts` over `store`. To be called inside an actix system.
    pub fn new(parts: &Parts, store: &Arc<dyn Store>) -> Self {
        Self(Arc::new(Inner {
            reads: DbExecutor::start(store, Self::READERS),
            changes: DbExecutor::start(store, 1),
            waiting: Semaphore::new(Self::WAITING),
            parts: parts.clone(),
            budget: Budget::default(),
            snapshot: Snapshot::default(),
            failing: Failing::default(),
            metrics: Metrics::default(),
            stopping: Stopping::default(),
        }))
    }

    /// Carries out `call`, which only reads, on a database thread of the API.
    ///
    /// # Errors
    /// That of the store, or [`Kind::Overloaded`] when too many calls wait.
    pub async fn read<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        self.call(&self.0.reads, call).await
    }

    /// Carries out `call`, which may change keys and tokens, on a database thread of the API.
    ///
    /// # Errors
    /// As [`App::read`].
    pub async fn change<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        self.call(&self.0.changes, call).await
    }

    async fn call<T: Send + 'static>(
        &self,
        executor: &Addr<DbExecutor>,
        call: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let _place = self.0.waiting.try_acquire().map_err(|_| Problem::overloaded())?;
        let answer = executor.send(Call::new(call)).await;
        Ok(answer.map_err(|_| Problem::new(Kind::Internal))??)
    }

    /// The status of the database, as it was within the last second.
    ///
    /// # Errors
    /// As [`App::read`].
    pub async fn status(&self) -> Result<Arc<Status>, Problem> {
        self.0.snapshot.status(self).await
    }

    /// Since when each check of the health fails.
    pub fn failing(&self) -> &Failing {
        &self.0.failing
    }

    /// The metrics that are kept from scrape to scrape.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Notifications of stored batches.
    pub fn commits(&self) -> &Commits {
        &self.0.parts.commits
    }

    /// What the run has done so far.
    pub fn counters(&self) -> &Counters {
        &self.0.parts.counters
    }

    /// Notifies the run of new records.
    pub fn news(&self) -> &News {
        &self.0.parts.news
    }

    /// How the run is.
    pub fn vitals(&self) -> &Vitals {
        &self.0.parts.vitals
    }

    /// The parts of the run beside which the API answers.
    pub fn parts(&self) -> &Parts {
        &self.0.parts
    }

    /// The memory that bodies may take.
    pub fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// Whether the service stops.
    pub fn stopping(&self) -> &Stopping {
        &self.0.stopping
    }
}
