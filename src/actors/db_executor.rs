//! DbExecutor: runs database transactions, and nothing else, on separate threads.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use actix::{Actor, Addr, Handler, Message, SyncArbiter, SyncContext};

use super::messages::{
    Commit, Insert, LeaseBatches, Leased, LoadKey, Open, ReadOutcomes, ReadStatus, Reclaim, Register,
    Release, Remove, Renew, Sequence, Suspend, TakeInventory,
};
use crate::{
    domain::{CommitVerdict, Contents, InsertVerdict, KeyState, Lease, NodeId, Outcome},
    signer,
    store::{
        Inventory, KeyStateVerdict, NewRecord, OpenedBatches, Reclaimed, RenewVerdict, Status, Store,
        StoreError, StoredKey,
    },
};

/// Runs each message as one call of the [`Store`].
pub struct DbExecutor {
    store: Arc<dyn Store>,
}

impl DbExecutor {
    /// Starts `threads` threads that run transactions of `store`. They end when the last address is dropped.
    pub fn start(store: &Arc<dyn Store>, threads: usize) -> Addr<Self> {
        let store = Arc::clone(store);
        SyncArbiter::start(threads, move || Self { store: Arc::clone(&store) })
    }
}

/// A message that is carried out as one or a few calls of a store.
pub trait Transaction: Message<Result = Result<Self::Reply, StoreError>> + Sized {
    /// The reply.
    type Reply: Send + 'static;

    /// Carries out the message.
    ///
    /// # Errors
    /// The store's.
    fn perform(self, store: &dyn Store) -> Result<Self::Reply, StoreError>;

    /// Like [`Transaction::perform`], but converts a panic into an error with an unknown outcome. A panic would
    /// end the thread, and with it the service.
    ///
    /// # Errors
    /// The store's.
    fn perform_guarded(self, store: &dyn Store) -> Result<Self::Reply, StoreError> {
        catch_unwind(AssertUnwindSafe(|| self.perform(store)))
            .unwrap_or_else(|panic| Err(StoreError::UnknownOutcome(panic_message(panic.as_ref()))))
    }
}

/// The message of a panic.
pub(super) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".to_owned())
}

/// Leases batches, then hashes their payloads.
fn lease(store: &dyn Store, request: &LeaseBatches) -> Result<Vec<Leased>, StoreError> {
    let leases = store.lease(request.node, request.scheme, request.limit, &request.reach)?;
    let held: Vec<_> = leases.iter().map(|lease| (lease.batch(), lease.epoch())).collect();
    let hashed = leases.into_iter().map(|lease| {
        let contents = contents(store, &lease)?;
        Ok(Leased { lease, contents })
    });
    // If we die here, the node is reclaimed with all its leases. If only reading fails, the leases are released.
    // If the release fails too, the node holds leases that it does not know, as when a reply is lost.
    hashed.collect::<Result<_, _>>().map_err(|error| match store.release(&held) {
        Ok(_) => error,
        Err(failed) => {
            StoreError::UnknownOutcome(format!("{error}; and leases could not be given back: {failed}"))
        }
    })
}

fn contents(store: &dyn Store, lease: &Lease) -> Result<Contents, StoreError> {
    let algorithm = lease.scheme().digest();
    let mut contents = Contents::with_capacity(usize::try_from(lease.records().len()).unwrap_or(0));
    store.read_payloads(lease.records(), &mut |_, external_id, payload| {
        contents.push(signer::digest(algorithm, payload), external_id);
    })?;
    Ok(contents)
}

fn insert(
    store: &dyn Store,
    Insert(records, part, on_conflict): &Insert,
) -> Result<Vec<InsertVerdict>, StoreError> {
    let new: Vec<_> = records[part.clone()]
        .iter()
        .map(|record| NewRecord { external_id: record.external_id.as_deref(), payload: &record.payload })
        .collect();
    store.insert_records(&new, *on_conflict)
}

impl Actor for DbExecutor {
    type Context = SyncContext<Self>;
}

impl<M: Transaction> Handler<M> for DbExecutor {
    type Result = M::Result;

    fn handle(&mut self, message: M, _: &mut Self::Context) -> Self::Result {
        message.perform_guarded(self.store.as_ref())
    }
}

macro_rules! transactions {
    ($($message:ty => $reply:ty, |$request:pat_param, $store:ident| $call:expr;)*) => {$(
        impl Transaction for $message {
            type Reply = $reply;

            fn perform(self, $store: &dyn Store) -> Result<Self::Reply, StoreError> {
                let $request = self;
                $call
            }
        }
    )*};
}

transactions! {
    Open => OpenedBatches, |Open(request), store| store.open_batches(request);
    LeaseBatches => Vec<Leased>, |request, store| lease(store, &request);
    Commit => Vec<CommitVerdict>, |Commit(batches, part), store| store.commit(&batches[part]);
    ReadOutcomes => Vec<Outcome>, |ReadOutcomes(sent), store| store.outcomes(&sent);
    Release => u64, |Release(leases), store| store.release(&leases);
    TakeInventory => Inventory, |TakeInventory { node, stored }, store| store.inventory(node, &stored);
    Register => NodeId, |Register { name, ttl, reach }, store| store.register_node(&name, ttl, &reach);
    Renew => RenewVerdict, |Renew { node, ttl, reach }, store| store.renew_node(node, ttl, &reach);
    Remove => u64, |Remove(node), store| store.remove_node(node);
    Reclaim => Vec<Reclaimed>, |Reclaim { me, grace }, store| store.reclaim(me, grace);
    LoadKey => Option<StoredKey>, |LoadKey(key), store| store.stored_key(key);
    Suspend => KeyStateVerdict, |Suspend { key, reason, by }, store|
        store.set_key_state(key, KeyState::Suspended, Some(&reason), &by);
    Insert => Vec<InsertVerdict>, |request, store| insert(store, &request);
    ReadStatus => Status, |ReadStatus, store| store.status();
    Sequence => (), |Sequence, store| store.sequence_commits();
}
