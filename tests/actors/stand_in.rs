//! A stand-in for DbExecutor: an actor that takes its messages, answers from a store in memory, and
//! follows a script: any call can be held until the test lets it go on.

use std::sync::{Arc, Mutex};

use actix::{Actor, Context, Handler, ResponseFuture};
use signwave::{
    actors::messages::*,
    domain::{BatchId, KeyState, SignedBatch},
    signer,
    store::{Method, Store, StoreError},
};
use tokio::sync::oneshot;

/// Which calls are to be held.
#[derive(Default)]
pub struct Script {
    holds: Mutex<Vec<Hold>>,
    /// What was last sent to be stored.
    sent: Mutex<Option<Arc<[SignedBatch]>>>,
    /// Batches whose signatures the schema does not take.
    refused: Mutex<Vec<BatchId>>,
}

struct Hold {
    method: Method,
    nth: usize,
    /// Whether it is carried out already, and only its reply is held.
    is_done: bool,
    arrived: oneshot::Sender<()>,
    go_on: oneshot::Receiver<()>,
}

/// The test's end of a held call.
pub struct Held {
    arrived: oneshot::Receiver<()>,
    go_on: oneshot::Sender<()>,
}

impl Held {
    /// Returns once the call was made; it has not been carried out then.
    pub async fn arrived(&mut self) {
        (&mut self.arrived).await.expect("the call was made");
    }

    /// Lets it be carried out.
    pub fn go_on(self) {
        self.go_on.send(()).expect("the caller still waits");
    }
}

impl Script {
    /// Holds the `nth` call of `method` from now on (1 is the next one).
    pub fn hold(&self, method: Method, nth: usize) -> Held {
        self.hold_when(false, method, nth)
    }

    /// As [`Script::hold`], but the call is carried out before.
    pub fn hold_reply(&self, method: Method, nth: usize) -> Held {
        self.hold_when(true, method, nth)
    }

    fn hold_when(&self, is_done: bool, method: Method, nth: usize) -> Held {
        let (arrived, on_arrival) = oneshot::channel();
        let (on_go, go_on) = oneshot::channel();
        self.holds.lock().unwrap().push(Hold { method, nth, is_done, arrived, go_on });
        Held { arrived: on_arrival, go_on: on_go }
    }

    /// The signatures of `batch` are refused from now on.
    pub fn refuse(&self, batch: BatchId) {
        self.refused.lock().unwrap().push(batch);
    }

    /// From now on the schema takes everything.
    pub fn refuse_none(&self) {
        self.refused.lock().unwrap().clear();
    }

    /// What was last sent to be stored is stored now, as by a COMMIT that takes its time.
    pub fn store_what_was_sent(&self, store: &dyn Store) {
        let sent = self.sent.lock().unwrap().clone().expect("a commit was sent");
        store.commit(&sent).unwrap();
    }

    fn due(&self, method: Method, is_done: bool) -> Option<Hold> {
        let mut holds = self.holds.lock().unwrap();
        let is_meant = |hold: &&mut Hold| hold.method == method && hold.is_done == is_done;
        holds.iter_mut().filter(is_meant).for_each(|hold| hold.nth -= 1);
        let due = holds.iter().position(|hold| hold.nth == 0)?;
        Some(holds.remove(due))
    }
}

/// See the module's documentation.
pub struct StandIn {
    pub store: Arc<dyn Store>,
    pub script: Arc<Script>,
}

impl Actor for StandIn {
    type Context = Context<Self>;
}

/// What the schema says to the signatures of `batch`.
pub fn refusal(batch: BatchId) -> StoreError {
    StoreError::Refused(format!("batch {batch} has a signature already"))
}

async fn wait(hold: Option<Hold>) {
    if let Some(hold) = hold {
        hold.arrived.send(()).expect("the test waits for this call");
        hold.go_on.await.expect("the test lets this call go on");
    }
}

impl Handler<Commit> for StandIn {
    type Result = ResponseFuture<<Commit as actix::Message>::Result>;

    fn handle(&mut self, Commit(batches, part): Commit, _: &mut Self::Context) -> Self::Result {
        let (store, script) = (Arc::clone(&self.store), Arc::clone(&self.script));
        let hold = script.due(Method::Commit, false);
        Box::pin(async move {
            wait(hold).await;
            *script.sent.lock().unwrap() = Some(Arc::clone(&batches));
            let refused = script.refused.lock().unwrap().clone();
            match batches[part.clone()].iter().find(|batch| refused.contains(&batch.lease().batch())) {
                Some(batch) => Err(refusal(batch.lease().batch())),
                None => store.commit(&batches[part]),
            }
        })
    }
}

macro_rules! answers {
    ($($message:ty, $method:ident, $store:ident, $request:pat => $call:expr;)*) => {$(
        impl Handler<$message> for StandIn {
            type Result = ResponseFuture<<$message as actix::Message>::Result>;

            fn handle(&mut self, $request: $message, _: &mut Self::Context) -> Self::Result {
                let ($store, script) = (Arc::clone(&self.store), Arc::clone(&self.script));
                let hold = script.due(Method::$method, false);
                Box::pin(async move {
                    wait(hold).await;
                    let reply = $call;
                    wait(script.due(Method::$method, true)).await;
                    reply
                })
            }
        }
    )*};
}

answers! {
    Open, OpenBatches, store, Open(request) => store.open_batches(request);
    LeaseBatches, Lease, store, LeaseBatches { node, scheme, limit } => store.lease(node, scheme, limit).map(|leases| {
        let hash = |lease: signwave::domain::Lease| {
            let mut digests = Vec::new();
            let mut hash = |_, payload: &[u8]| digests.push(signer::digest(scheme.digest(), payload));
            store.read_payloads(lease.records(), &mut hash).expect("payloads are there");
            Leased { lease, digests }
        };
        leases.into_iter().map(hash).collect()
    });
    ReadOutcomes, Outcomes, store, ReadOutcomes(sent) => store.outcomes(&sent);
    Release, Release, store, Release(leases) => store.release(&leases);
    TakeInventory, Inventory, store, TakeInventory { node, stored } => store.inventory(node, &stored);
    Register, RegisterNode, store, Register { name, ttl } => store.register_node(&name, ttl);
    Renew, RenewNode, store, Renew { node, ttl } => store.renew_node(node, ttl);
    Remove, RemoveNode, store, Remove(node) => store.remove_node(node);
    Reclaim, Reclaim, store, Reclaim { me, grace } => store.reclaim(me, grace);
    LoadKey, StoredKey, store, LoadKey(key) => store.stored_key(key);
    Suspend, SetKeyState, store, Suspend { key, reason } =>
        store.set_key_state(key, KeyState::Suspended, Some(&reason));
    ReadStatus, Status, store, ReadStatus => store.status();
}
