//! A stand-in for DbExecutor: it does the same with each message, over a store in memory, and follows a script: any
//! message can be held until the test lets it go on.

use std::{
    any::{Any, TypeId},
    sync::{Arc, Mutex},
};

use actix::{Actor, Context, Handler, ResponseFuture};
use signwave::{
    actors::{db_executor::Transaction, messages::Commit},
    domain::{BatchId, SignedBatch},
    store::{Store, StoreError},
};
use tokio::sync::oneshot;

/// Which messages are to be held.
#[derive(Default)]
pub struct Script {
    holds: Mutex<Vec<Hold>>,
    /// What was last sent to be stored.
    sent: Mutex<Option<Arc<[SignedBatch]>>>,
    /// Batches whose signatures the schema does not take.
    refused: Mutex<Vec<BatchId>>,
}

struct Hold {
    message: TypeId,
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
    /// Holds the `nth` message of that type from now on (1 is the next one).
    pub fn hold<M: 'static>(&self, nth: usize) -> Held {
        self.hold_when::<M>(false, nth)
    }

    /// As [`Script::hold`], but the message is carried out before.
    pub fn hold_reply<M: 'static>(&self, nth: usize) -> Held {
        self.hold_when::<M>(true, nth)
    }

    fn hold_when<M: 'static>(&self, is_done: bool, nth: usize) -> Held {
        let (arrived, on_arrival) = oneshot::channel();
        let (on_go, go_on) = oneshot::channel();
        self.holds.lock().unwrap().push(Hold { message: TypeId::of::<M>(), nth, is_done, arrived, go_on });
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

    fn due<M: 'static>(&self, is_done: bool) -> Option<Hold> {
        let mut holds = self.holds.lock().unwrap();
        let is_meant = |hold: &&mut Hold| hold.message == TypeId::of::<M>() && hold.is_done == is_done;
        holds.iter_mut().filter(is_meant).for_each(|hold| hold.nth -= 1);
        let due = holds.iter().position(|hold| hold.nth == 0)?;
        Some(holds.remove(due))
    }

    /// Notes what is sent to be stored; what the schema says if it does not take it.
    fn refusal(&self, message: &dyn Any) -> Option<StoreError> {
        let Commit(batches, part) = message.downcast_ref()?;
        *self.sent.lock().unwrap() = Some(Arc::clone(batches));
        let refused = self.refused.lock().unwrap();
        let mut sent = batches[part.clone()].iter().map(|batch| batch.lease().batch());
        sent.find(|batch| refused.contains(batch)).map(refusal)
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
        hold.arrived.send(()).expect("the test waits for this message");
        hold.go_on.await.expect("the test lets this message go on");
    }
}

impl<M: Transaction + 'static> Handler<M> for StandIn {
    type Result = ResponseFuture<Result<M::Reply, StoreError>>;

    fn handle(&mut self, message: M, _: &mut Self::Context) -> Self::Result {
        let (store, script) = (Arc::clone(&self.store), Arc::clone(&self.script));
        let hold = script.due::<M>(false);
        Box::pin(async move {
            wait(hold).await;
            let reply = match script.refusal(&message) {
                Some(refusal) => Err(refusal),
                None => message.perform_guarded(&*store),
            };
            wait(script.due::<M>(true)).await;
            reply
        })
    }
}
