//! A store with a fault plan, for tests: calls fail when they are told to, before or after they took effect.

mod arrivals;
mod feed;
mod method;
mod outlets;
mod webhooks;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use self::method::Method;
use signwave::{
    domain::{
        AuditId, BatchId, BatchRow, By, CommitVerdict, Epoch, Fingerprint, InsertVerdict, KeyId, KeyState,
        Lease, LimitChange, NodeId, Outcome, Reach, RecordId, Runs, Scheme, SignedBatch, StoredKey, TokenId,
        promises::Counts,
    },
    store::{
        Access, AddKeyVerdict, AddSessionVerdict, AddTokenVerdict, Audit, AuditRow, BatchPage, BatchSummary,
        Batching, CertificatesVerdict, Committing, Intake, Inventory, KeyLimitsVerdict, KeyPage, KeyPool,
        KeyRow, KeyStateVerdict, Leasing, Listener, Lookup, NewCertificates, NewKey, NewRecord, NewSession,
        NewToken, News, Nodes, OldestUnsigned, OnConflict, OpenBatches, OpenedBatches, PayloadVisitor,
        Reading, Reclaimed, RecordName, RecordRow, RenewVerdict, Reseal, ResealVerdict, RevokeTokenVerdict,
        RotateTokenVerdict, Rotation, Sessions, SignedRow, Status, Store, StoreError, StoredToken, TokenRow,
        Wanted,
    },
};

/// How a call fails.
pub enum Fault {
    /// It answers this error and nothing happened.
    NotPersisted(StoreError),
    /// It is carried out, then answers [`StoreError::UnknownOutcome`].
    Persisted,
    /// Something else happens first, such as a panic or a wait; then it is carried out.
    First(Box<dyn FnOnce() + Send>),
}

struct Planned {
    method: Method,
    /// Calls of the method until this one, itself included.
    nth: usize,
    fault: Fault,
}

/// Decides for each call, before it is made, whether and how it fails.
type Draw = Box<dyn FnMut(Method) -> Option<Fault> + Send>;

/// Wraps any store. Without a plan it does what the store within does.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    plan: Mutex<Vec<Planned>>,
    draw: Mutex<Option<Draw>>,
    calls: Mutex<Vec<Method>>,
}

impl FaultyStore {
    /// Wraps `inner`, with an empty plan.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, plan: Mutex::default(), draw: Mutex::default(), calls: Mutex::default() }
    }

    /// Lets the `nth` call of `method` from now on (1 is the next one) fail, once.
    pub fn fail(&self, method: Method, nth: usize, fault: Fault) {
        lock(&self.plan).push(Planned { method, nth, fault });
    }

    /// Lets `draw` decide for each unplanned call whether and how it fails.
    pub fn fail_as_drawn(&self, draw: impl FnMut(Method) -> Option<Fault> + Send + 'static) {
        *lock(&self.draw) = Some(Box::new(draw));
    }

    /// Every call so far, in the order in which they began.
    pub fn calls(&self) -> Vec<Method> {
        lock(&self.calls).clone()
    }

    /// How often `method` was called so far.
    pub fn count(&self, method: Method) -> usize {
        lock(&self.calls).iter().filter(|call| **call == method).count()
    }

    fn call<T>(
        &self,
        method: Method,
        act: impl FnOnce(&dyn Store) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        lock(&self.calls).push(method);
        match self.due(method) {
            None => act(&*self.inner),
            Some(Fault::NotPersisted(error)) => Err(error),
            Some(Fault::Persisted) => {
                act(&*self.inner)?;
                Err(StoreError::UnknownOutcome(format!("the reply to {method:?} was lost, as planned")))
            }
            Some(Fault::First(first)) => {
                first();
                act(&*self.inner)
            }
        }
    }

    /// Counts the plan down and takes out what is due now.
    fn due(&self, method: Method) -> Option<Fault> {
        let mut plan = lock(&self.plan);
        plan.iter_mut()
            .filter(|planned| planned.method == method)
            .for_each(|planned| planned.nth = planned.nth.saturating_sub(1));
        match plan.iter().position(|planned| planned.nth == 0) {
            Some(position) => Some(plan.remove(position).fault),
            None => lock(&self.draw).as_mut().and_then(|draw| draw(method)),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Intake for FaultyStore {
    fn insert_records(
        &self,
        records: &[NewRecord<'_>],
        on_conflict: OnConflict,
    ) -> Result<Vec<InsertVerdict>, StoreError> {
        self.call(Method::InsertRecords, |store| store.insert_records(records, on_conflict))
    }

    fn payload_limit(&self) -> Result<u32, StoreError> {
        self.call(Method::PayloadLimit, |store| store.payload_limit())
    }

    fn read_payloads(&self, records: &Runs, visit: PayloadVisitor<'_>) -> Result<(), StoreError> {
        self.call(Method::ReadPayloads, |store| store.read_payloads(records, visit))
    }
}

impl Batching for FaultyStore {
    fn open_batches(&self, request: OpenBatches) -> Result<OpenedBatches, StoreError> {
        self.call(Method::OpenBatches, |store| store.open_batches(request))
    }
}

impl Leasing for FaultyStore {
    fn lease(
        &self,
        node: NodeId,
        scheme: Scheme,
        limit: usize,
        reach: &Reach,
    ) -> Result<Vec<Lease>, StoreError> {
        self.call(Method::Lease, |store| store.lease(node, scheme, limit, reach))
    }

    fn release(&self, leases: &[(BatchId, Epoch)]) -> Result<u64, StoreError> {
        self.call(Method::Release, |store| store.release(leases))
    }

    fn inventory(&self, node: NodeId, stored: &[(BatchId, Epoch)]) -> Result<Inventory, StoreError> {
        self.call(Method::Inventory, |store| store.inventory(node, stored))
    }
}

impl Committing for FaultyStore {
    fn connections(&self) -> usize {
        self.inner.connections()
    }

    fn commit(&self, batches: &[SignedBatch]) -> Result<Vec<CommitVerdict>, StoreError> {
        self.call(Method::Commit, |store| store.commit(batches))
    }

    fn outcomes(&self, sent: &[(BatchId, Epoch)]) -> Result<Vec<Outcome>, StoreError> {
        self.call(Method::Outcomes, |store| store.outcomes(sent))
    }
}

impl Nodes for FaultyStore {
    fn register_node(&self, name: &str, ttl: Duration, reach: &Reach) -> Result<NodeId, StoreError> {
        self.call(Method::RegisterNode, |store| store.register_node(name, ttl, reach))
    }

    fn renew_node(&self, node: NodeId, ttl: Duration, reach: &Reach) -> Result<RenewVerdict, StoreError> {
        self.call(Method::RenewNode, |store| store.renew_node(node, ttl, reach))
    }

    fn remove_node(&self, node: NodeId) -> Result<u64, StoreError> {
        self.call(Method::RemoveNode, |store| store.remove_node(node))
    }

    fn reclaim(&self, me: Option<NodeId>, grace: Duration) -> Result<Vec<Reclaimed>, StoreError> {
        self.call(Method::Reclaim, |store| store.reclaim(me, grace))
    }
}

impl KeyPool for FaultyStore {
    fn add_key(&self, key: &NewKey, by: &By) -> Result<AddKeyVerdict, StoreError> {
        self.call(Method::AddKey, |store| store.add_key(key, by))
    }

    fn stored_key(&self, key: KeyId) -> Result<Option<StoredKey>, StoreError> {
        self.call(Method::StoredKey, |store| store.stored_key(key))
    }

    fn set_key_state(
        &self,
        key: KeyId,
        state: KeyState,
        reason: Option<&str>,
        by: &By,
    ) -> Result<KeyStateVerdict, StoreError> {
        self.call(Method::SetKeyState, |store| store.set_key_state(key, state, reason, by))
    }

    fn set_key_limits(
        &self,
        key: KeyId,
        change: &LimitChange,
        by: &By,
    ) -> Result<KeyLimitsVerdict, StoreError> {
        self.call(Method::SetKeyLimits, |store| store.set_key_limits(key, change, by))
    }

    fn set_certificates(
        &self,
        key: KeyId,
        certificates: Option<&NewCertificates>,
        by: &By,
    ) -> Result<CertificatesVerdict, StoreError> {
        self.call(Method::SetCertificates, |store| store.set_certificates(key, certificates, by))
    }

    fn reseal_keys(
        &self,
        master_key: &str,
        reseal: &mut dyn FnMut(&Fingerprint, &[u8]) -> Reseal,
        by: &By,
    ) -> Result<ResealVerdict, StoreError> {
        self.call(Method::ResealKeys, |store| store.reseal_keys(master_key, reseal, by))
    }
}

impl Sessions for FaultyStore {
    fn add_session(&self, session: &NewSession, by: &By) -> Result<AddSessionVerdict, StoreError> {
        self.call(Method::AddSession, |store| store.add_session(session, by))
    }

    fn sessions(&self, after: Option<TokenId>, limit: usize) -> Result<Vec<TokenRow>, StoreError> {
        self.call(Method::Sessions, |store| store.sessions(after, limit))
    }

    fn end_session(&self, id: TokenId, by: &By) -> Result<bool, StoreError> {
        self.call(Method::EndSession, |store| store.end_session(id, by))
    }
}

impl Access for FaultyStore {
    fn add_token(&self, token: &NewToken, by: &By) -> Result<AddTokenVerdict, StoreError> {
        self.call(Method::AddToken, |store| store.add_token(token, by))
    }

    fn tokens(&self, after: Option<TokenId>, limit: usize) -> Result<Vec<TokenRow>, StoreError> {
        self.call(Method::Tokens, |store| store.tokens(after, limit))
    }

    fn token(&self, id: TokenId) -> Result<Option<StoredToken>, StoreError> {
        self.call(Method::Token, |store| store.token(id))
    }

    fn token_of_certificate(&self, key: Fingerprint) -> Result<Option<TokenRow>, StoreError> {
        self.call(Method::TokenOfCertificate, |store| store.token_of_certificate(key))
    }

    fn rotate_token(
        &self,
        id: TokenId,
        rotation: &Rotation,
        by: &By,
    ) -> Result<RotateTokenVerdict, StoreError> {
        self.call(Method::RotateToken, |store| store.rotate_token(id, rotation, by))
    }

    fn revoke_token(&self, id: TokenId, by: &By) -> Result<RevokeTokenVerdict, StoreError> {
        self.call(Method::RevokeToken, |store| store.revoke_token(id, by))
    }

    fn note_use(&self, id: TokenId, every: Duration) -> Result<bool, StoreError> {
        self.call(Method::NoteUse, |store| store.note_use(id, every))
    }

    fn audit_log(&self, after: AuditId, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        self.call(Method::AuditLog, |store| store.audit_log(after, limit))
    }
}

impl Reading for FaultyStore {
    fn status(&self) -> Result<Status, StoreError> {
        self.call(Method::Status, |store| store.status())
    }

    fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        self.call(Method::Keys, |store| store.keys())
    }

    fn key(&self, key: KeyId) -> Result<Option<KeyRow>, StoreError> {
        self.call(Method::Key, |store| store.key(key))
    }

    fn certificates(&self, key: Option<KeyId>) -> Result<Vec<(KeyId, Vec<u8>)>, StoreError> {
        self.call(Method::Certificates, |store| store.certificates(key))
    }

    fn batches(&self, after: BatchId, limit: usize) -> Result<Vec<BatchRow>, StoreError> {
        self.call(Method::Batches, |store| store.batches(after, limit))
    }

    fn batch_of(&self, record: RecordId) -> Result<Option<BatchRow>, StoreError> {
        self.call(Method::BatchOf, |store| store.batch_of(record))
    }

    fn read_signed(&self, records: &Runs, visit: &mut dyn FnMut(SignedRow<'_>)) -> Result<(), StoreError> {
        self.call(Method::ReadSigned, |store| store.read_signed(records, visit))
    }
}

impl Lookup for FaultyStore {
    fn record(&self, name: RecordName<'_>, wanted: Wanted) -> Result<Option<RecordRow>, StoreError> {
        self.call(Method::Record, |store| store.record(name, wanted))
    }

    fn oldest_unsigned(&self) -> Result<Option<OldestUnsigned>, StoreError> {
        self.call(Method::OldestUnsigned, |store| store.oldest_unsigned())
    }

    fn batch(&self, batch: BatchId) -> Result<Option<(BatchSummary, Runs)>, StoreError> {
        self.call(Method::Batch, |store| store.batch(batch))
    }

    fn latest_batches(&self, page: BatchPage) -> Result<Vec<BatchSummary>, StoreError> {
        self.call(Method::LatestBatches, |store| store.latest_batches(page))
    }

    fn key_named(&self, fingerprint: &Fingerprint) -> Result<Option<KeyRow>, StoreError> {
        self.call(Method::KeyNamed, |store| store.key_named(fingerprint))
    }

    fn key_page(&self, page: KeyPage) -> Result<Vec<KeyRow>, StoreError> {
        self.call(Method::KeyPage, |store| store.key_page(page))
    }
}

impl Audit for FaultyStore {
    fn counts(&self) -> Result<Counts, StoreError> {
        self.call(Method::Counts, |store| store.counts())
    }

    fn audit(&self) -> Result<Vec<String>, StoreError> {
        self.call(Method::Audit, |store| store.audit())
    }
}

impl News for FaultyStore {
    /// No fault is planned for it.
    fn listener(&self) -> Result<Option<Box<dyn Listener>>, StoreError> {
        self.inner.listener()
    }

    fn feed_listener(&self) -> Result<Option<Box<dyn Listener>>, StoreError> {
        self.inner.feed_listener()
    }
}
