//! DbExecutor: database transactions, and nothing else, on threads of their own.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use actix::{Actor, Handler, SyncContext};

use super::messages::{
    Commit, LeaseBatches, Leased, LoadKey, Open, ReadOutcomes, ReadStatus, Reclaim, Register, Release,
    Remove, Renew, Suspend,
};
use crate::{
    domain::{Digest, KeyState},
    signer,
    store::{Store, StoreError},
};

/// Runs each message as one call of the [`Store`].
pub struct DbExecutor {
    store: Arc<dyn Store>,
}

impl DbExecutor {
    /// An executor over `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// A panic in a handler would end this thread for good, and with it the service: it becomes an
    /// error instead, and one that claims nothing about what was stored.
    fn guarded<T>(&self, call: impl FnOnce(&dyn Store) -> Result<T, StoreError>) -> Result<T, StoreError> {
        catch_unwind(AssertUnwindSafe(|| call(self.store.as_ref())))
            .unwrap_or_else(|panic| Err(StoreError::UnknownOutcome(panic_message(panic.as_ref()))))
    }
}

/// What a panic said.
pub(super) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".to_owned())
}

/// Leases, then hashes the payloads: only digests travel on, so memory does not grow with payloads.
fn lease(store: &dyn Store, request: &LeaseBatches) -> Result<Vec<Leased>, StoreError> {
    let leases = store.lease(request.node, request.scheme, request.limit)?;
    let held: Vec<_> = leases.iter().map(|lease| (lease.batch, lease.epoch)).collect();
    let hashed = leases.into_iter().map(|lease| {
        let digests = digests(store, &lease)?;
        Ok(Leased { lease, digests })
    });
    // If we die here the node is reclaimed with all its leases; if only reading fails they go back.
    hashed.collect::<Result<_, _>>().or_else(|error| store.release(&held).and(Err(error)))
}

fn digests(store: &dyn Store, lease: &crate::domain::Lease) -> Result<Vec<Digest>, StoreError> {
    let algorithm = lease.scheme.digest();
    let mut digests = Vec::with_capacity(usize::try_from(lease.records.len()).unwrap_or(0));
    store
        .read_payloads(&lease.records, &mut |_, payload| digests.push(signer::digest(algorithm, payload)))?;
    Ok(digests)
}

impl Actor for DbExecutor {
    type Context = SyncContext<Self>;
}

macro_rules! handles {
    ($($message:ty, $store:ident, $request:pat => $call:expr;)*) => {$(
        impl Handler<$message> for DbExecutor {
            type Result = <$message as actix::Message>::Result;

            fn handle(&mut self, $request: $message, _: &mut Self::Context) -> Self::Result {
                self.guarded(|$store| $call)
            }
        }
    )*};
}

handles! {
    Open, store, Open(request) => store.open_batches(request);
    LeaseBatches, store, request => lease(store, &request);
    Commit, store, Commit(batches, part) => store.commit(&batches[part]);
    ReadOutcomes, store, ReadOutcomes(sent) => store.outcomes(&sent);
    Release, store, Release(leases) => store.release(&leases);
    Register, store, Register { name, ttl } => store.register_node(&name, ttl);
    Renew, store, Renew { node, ttl } => store.renew_node(node, ttl);
    Remove, store, Remove(node) => store.remove_node(node);
    Reclaim, store, Reclaim { me, grace } => store.reclaim(me, grace);
    LoadKey, store, LoadKey(key) => store.stored_key(key);
    Suspend, store, Suspend { key, reason } => store.set_key_state(key, KeyState::Suspended, Some(&reason));
    ReadStatus, store, ReadStatus => store.status();
}
