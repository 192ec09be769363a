//! App: what every handler works with. Clones share one state.

use std::sync::{Arc, OnceLock};

use actix::{Actor as _, Addr, Recipient};
use tokio::sync::Semaphore;

use super::{
    budget::Budget,
    bundles::Bundles,
    events::viewers::Viewers,
    failing::Failing,
    history::History,
    keys::set::KeySet,
    limits::Limits,
    meters::Meters,
    payload_limit::PayloadLimit,
    problem::{Kind, Problem},
    rates::Rates,
    session::{attempts::Attempts, terminal::Terminal},
    snapshot::{Look, Snapshot},
    stopping::Stopping,
    tls::Identity,
    tokens::Tokens,
    waits::Waits,
};
use crate::{
    actors::{
        Call, Commits, Counters, Events, News, Parts, Vitals, db_executor::DbExecutor, intake::Intake,
        messages::Insert,
    },
    domain::{BatchState, RecordId},
    intake, publishing,
    signer::Keyring,
    store::{BatchPage, RecordName, RecordRow, Store, StoreError, Wanted},
    webhooks,
};

/// What every handler works with.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    reads: Addr<DbExecutor>,
    changes: Addr<DbExecutor>,
    inserts: Recipient<Insert>,
    intake: Addr<Intake>,
    payload_limit: PayloadLimit,
    waits: Waits,
    waiting: Semaphore,
    parts: Parts,
    budget: Budget,
    bundles: Bundles,
    snapshot: Snapshot,
    failing: Failing,
    meters: Meters,
    tokens: Tokens,
    rates: Rates,
    attempts: Attempts,
    terminal: OnceLock<Terminal>,
    history: History,
    limits: Limits,
    viewers: Viewers,
    keyring: Arc<Keyring>,
    key_set: KeySet,
    stopping: Stopping,
    certificate: OnceLock<Identity>,
    taking: OnceLock<Arc<intake::Counters>>,
    publishers: OnceLock<Vec<Arc<publishing::Counters>>>,
    has_lost: OnceLock<bool>,
    sending: OnceLock<Arc<webhooks::Counters>>,
}

impl App {
    /// Threads that read for the API. They are apart from those of the actors, so that no request delays a commit.
    const READERS: usize = 2;
    /// Calls that may wait for a database thread.
    const WAITING: usize = 1024;

    /// The state of the API beside a run with these `parts` over `store`. To be called inside an actix system.
    ///
    /// `transactions` are the run's database threads. The API writes by them, too, so that writers take turns: a
    /// stream of records would otherwise keep commits and the renewal of the lease from an SQLite database.
    /// `keyring` seals new keys, if it has a master key.
    pub fn new(
        parts: &Parts,
        store: &Arc<dyn Store>,
        transactions: &Addr<DbExecutor>,
        keyring: Arc<Keyring>,
    ) -> Self {
        let inserts: Recipient<Insert> = transactions.clone().recipient();
        let waits = Waits::default();
        waits.listen(parts.commits.listen());
        Self(Arc::new(Inner {
            reads: DbExecutor::start(store, Self::READERS),
            changes: transactions.clone(),
            intake: Intake::new(inserts.clone(), parts.news.clone()).start(),
            inserts,
            payload_limit: PayloadLimit::default(),
            waits,
            waiting: Semaphore::new(Self::WAITING),
            parts: parts.clone(),
            budget: Budget::default(),
            bundles: Bundles::default(),
            snapshot: Snapshot::default(),
            failing: Failing::default(),
            meters: Meters::default(),
            tokens: Tokens::default(),
            rates: Rates::default(),
            attempts: Attempts::default(),
            terminal: OnceLock::new(),
            history: History::start(parts),
            limits: Limits::default(),
            viewers: Viewers::default(),
            keyring,
            key_set: KeySet::default(),
            stopping: Stopping::default(),
            certificate: OnceLock::new(),
            taking: OnceLock::new(),
            publishers: OnceLock::new(),
            has_lost: OnceLock::new(),
            sending: OnceLock::new(),
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

    /// Carries out `call`, which may change keys, tokens and webhooks, on a database thread of the API.
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
    pub async fn status(&self) -> Result<Arc<Look>, Problem> {
        let read = self.read(|store| Ok((store.status()?, store.oldest_unsigned()?)));
        let look = self.0.snapshot.look(read, || self.vitals().signing_time()).await?;
        self.0.history.note_backlog(look.waiting());
        Ok(look)
    }

    /// A record, with its batch if that is signed or lost.
    ///
    /// # Errors
    /// As [`App::read`].
    pub async fn record(&self, id: RecordId) -> Result<Option<RecordRow>, Problem> {
        let read = |wanted| self.read(move |store| store.record(RecordName::Id(id), wanted));
        let row = read(Wanted::default()).await?;
        let is_unsigned = row.as_ref().is_some_and(|row| row.signature.is_none());
        if is_unsigned && self.has_lost_batches().await? {
            read(Wanted { unsigned_batch: true, ..Wanted::default() }).await
        } else {
            Ok(row)
        }
    }

    /// Whether there are lost batches. While a process is at work none can become lost.
    async fn has_lost_batches(&self) -> Result<bool, Problem> {
        if let Some(has_lost) = self.0.has_lost.get() {
            return Ok(*has_lost);
        }
        let page = BatchPage { state: Some(BatchState::Lost), before: None, limit: 1 };
        let has_lost = !self.read(move |store| store.latest_batches(page)).await?.is_empty();
        Ok(*self.0.has_lost.get_or_init(|| has_lost))
    }

    /// What this process has done in the last minutes and hours.
    pub fn history(&self) -> &History {
        &self.0.history
    }

    /// The attempts to sign in that failed.
    pub fn attempts(&self) -> &Attempts {
        &self.0.attempts
    }

    /// Lets somebody sign in who sees the terminal. Only the first call counts.
    pub fn admit(&self, terminal: Terminal) {
        drop(self.0.terminal.set(terminal));
    }

    /// Who may sign in from the terminal, if there is one.
    pub fn terminal(&self) -> Option<&Terminal> {
        self.0.terminal.get()
    }

    /// Since when each check of the health fails.
    pub fn failing(&self) -> &Failing {
        &self.0.failing
    }

    /// The tokens that were used lately.
    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// How many requests clients may send.
    pub fn rates(&self) -> &Rates {
        &self.0.rates
    }

    /// The metrics that are kept from scrape to scrape.
    pub fn meters(&self) -> &Meters {
        &self.0.meters
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

    /// Stores single records.
    pub fn intake(&self) -> &Addr<Intake> {
        &self.0.intake
    }

    /// Stores many records in one transaction.
    pub fn inserts(&self) -> &Recipient<Insert> {
        &self.0.inserts
    }

    /// The largest payload in bytes, as it was within the last seconds.
    ///
    /// # Errors
    /// As [`App::read`].
    pub async fn payload_limit(&self) -> Result<usize, Problem> {
        match self.0.payload_limit.known() {
            Some(limit) => Ok(limit),
            None => self.fresh_payload_limit().await,
        }
    }

    /// The largest payload in bytes, as the database has it now.
    ///
    /// # Errors
    /// As [`App::read`].
    pub async fn fresh_payload_limit(&self) -> Result<usize, Problem> {
        let limit = self.read(|store| store.payload_limit()).await? as usize;
        self.0.payload_limit.note(limit);
        Ok(limit)
    }

    /// The requests that wait for signatures.
    pub fn waits(&self) -> &Waits {
        &self.0.waits
    }

    /// The memory that bodies may take.
    pub fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// Makes bundles.
    pub fn bundles(&self) -> &Bundles {
        &self.0.bundles
    }

    /// Places for what is expensive.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Who looks at the events.
    pub fn viewers(&self) -> &Viewers {
        &self.0.viewers
    }

    /// What happened in the run.
    pub fn events(&self) -> &Events {
        &self.0.parts.events
    }

    /// Seals new keys.
    pub fn keyring(&self) -> &Arc<Keyring> {
        &self.0.keyring
    }

    /// The public keys.
    pub fn key_set(&self) -> &KeySet {
        &self.0.key_set
    }

    /// The server's certificate, if a listener has one.
    pub fn certificate(&self) -> Option<&Identity> {
        self.0.certificate.get()
    }

    /// Notes that a listener shows this certificate.
    pub(super) fn note_certificate(&self, identity: &Identity) {
        drop(self.0.certificate.set(identity.clone())); // all listeners have the same
    }

    /// What the intake of this process has done; `None` where it has none.
    pub fn taking(&self) -> Option<&intake::Counters> {
        self.0.taking.get().map(Arc::as_ref)
    }

    /// Shows what an intake does. Only the first call counts.
    pub fn note_intake(&self, counters: &Arc<intake::Counters>) {
        drop(self.0.taking.set(Arc::clone(counters)));
    }

    /// What the publishers of this process have done.
    pub fn publishers(&self) -> &[Arc<publishing::Counters>] {
        self.0.publishers.get().map_or(&[], Vec::as_slice)
    }

    /// Shows what publishers do. Only the first call counts.
    pub fn note_publishers(&self, counters: &[Arc<publishing::Counters>]) {
        drop(self.0.publishers.set(counters.to_vec()));
    }

    /// What this process has sent to webhooks; `None` where it sends nothing.
    pub fn sending(&self) -> Option<&webhooks::Counters> {
        self.0.sending.get().map(Arc::as_ref)
    }

    /// Shows what is sent to webhooks. Only the first call counts.
    pub fn note_webhooks(&self, counters: &Arc<webhooks::Counters>) {
        drop(self.0.sending.set(Arc::clone(counters)));
    }

    /// Whether the service stops.
    pub fn stopping(&self) -> &Stopping {
        &self.0.stopping
    }
}
