//! The way of a node to the store: what DbExecutor does with each message, at a time that fate chooses, and
//! everything that can go wrong on the way there, in the store, and on the way back.

use std::{any::Any, fmt::Debug, rc::Rc, sync::Arc, time::Duration};

use actix::{Actor, Context, Handler, ResponseFuture};
use signwave::{
    actors::{
        clock::Clock,
        db_executor::Transaction,
        messages::{Commit, Leased, Register, Renew},
    },
    domain::{BatchId, BatchState, CommitVerdict, Lease, NodeId, Outcome},
    store::{KeyStateVerdict, Reading, Reclaimed, RenewVerdict, StoreError},
};
use support::faulty::{Fault, FaultyStore, Method};
use tokio::{sync::Mutex, task::spawn_local, time::sleep};

use crate::{node::Process, panics, shared::Shared};

/// Stands in for DbExecutor. It is no part of its node: what has arrived here outlives the node.
pub struct Database(pub Rc<Line>);

/// One node's way to the store.
pub struct Line {
    shared: Shared,
    process: Rc<Process>,
    clock: Clock,
    store: FaultyStore,
    in_turn: bool,
    turn: Mutex<()>,
}

impl Line {
    pub fn new(shared: Shared, process: Rc<Process>, clock: Clock, in_turn: bool) -> Self {
        let store = FaultyStore::new(Arc::clone(&shared.memory) as _);
        let fate = shared.clone();
        store.fail_as_drawn(move |method| fault(&fate, method));
        Self { shared, process, clock, store, in_turn, turn: Mutex::default() }
    }

    fn is_broken(&self) -> bool {
        self.process.is_cut_off.get() || self.shared.is_away()
    }

    /// The node may crash at this very moment.
    fn may_crash(&self) {
        if !self.process.is_over() && self.shared.fate.chance(self.shared.weather().fatal) {
            self.shared.fate.count("crash at a call");
            self.shared.fate.log(format_args!("process {} crashes at a call", self.process.number));
            self.process.crash();
        }
    }

    /// The machine stands still in the middle of a COMMIT, and everybody else goes on.
    async fn may_freeze(&self) {
        let (fate, weather) = (&self.shared.fate, self.shared.weather());
        if fate.chance(weather.freezing) {
            fate.count("frozen in a commit");
            fate.log(format_args!("process {} freezes", self.process.number));
            self.process.pause();
            sleep(fate.millis(0, 2 * weather.longest)).await;
            self.process.resume();
        }
    }

    /// Carries it out, and looks at what came of it.
    fn perform<M>(&self, message: M) -> Result<M::Reply, StoreError>
    where
        M: Transaction + 'static,
        M::Reply: Debug,
    {
        let (shared, number, what) = (&self.shared, self.process.number, name::<M>());
        shared.tick();
        let fenced = self.must_be_fenced(&message);
        let is_commit = (&message as &dyn Any).is::<Commit>();
        let result = message.perform_guarded(&self.store);
        shared.fate.log(format_args!("process {number}: {what}: {result:?}"));
        fenced.iter().for_each(|lease| self.check_fenced(lease));
        self.note(&result);
        if is_commit {
            shared.check()
        } else {
            shared.check_if_changed()
        }
        result
    }

    /// P4: the batches whose node is not there any more.
    fn must_be_fenced(&self, message: &dyn Any) -> Vec<(BatchId, Option<BatchState>)> {
        let Some(Commit(batches, part)) = message.downcast_ref::<Commit>() else { return Vec::new() };
        let nodes = self.shared.memory.status().unwrap().nodes;
        let is_gone = |lease: &&Lease| !nodes.iter().any(|node| node.id == lease.node());
        let leases = || batches[part.clone()].iter().map(|batch| batch.lease());
        // The same commit may carry a newer lease of the batch, which stands.
        let stands = |batch| leases().any(|lease| lease.batch() == batch && !is_gone(&lease));
        let gone = leases().filter(is_gone).filter(|lease| !stands(lease.batch()));
        gone.map(|lease| (lease.batch(), self.state(lease.batch()))).collect()
    }

    fn check_fenced(&self, (batch, before): &(BatchId, Option<BatchState>)) {
        assert_eq!(self.state(*batch), *before, "batch {batch} of a node that was gone");
        self.shared.fate.count("commit after death");
    }

    fn state(&self, batch: BatchId) -> Option<BatchState> {
        let found = self.shared.memory.batches(BatchId(batch.0 - 1), 1).unwrap();
        found.first().map(|batch| batch.state)
    }

    fn note(&self, result: &dyn Any) {
        let fate = &self.shared.fate;
        if let Some(Ok(node)) = as_reply::<NodeId>(result) {
            self.process.nodes.borrow_mut().push(*node);
        } else if let Some(Ok(leased)) = as_reply::<Vec<Leased>>(result) {
            let mut ledger = self.shared.ledger.lock().unwrap();
            leased.iter().for_each(|leased| ledger.leased(self.process.number, leased));
        } else if let Some(Ok(dead)) = as_reply::<Vec<Reclaimed>>(result) {
            dead.iter().filter(|dead| dead.batches > 0).for_each(|_| fate.count("reclaimed"));
        } else if let Some(Ok(verdicts)) = as_reply::<Vec<CommitVerdict>>(result) {
            verdicts.iter().for_each(|verdict| match verdict {
                CommitVerdict::Committed => fate.count("batch stored"),
                CommitVerdict::Fenced { .. } => fate.count("fenced"),
            });
        } else if let Some(Ok(outcomes)) = as_reply::<Vec<Outcome>>(result) {
            outcomes.iter().for_each(|outcome| match outcome {
                Outcome::Stored => fate.count("read back stored"),
                Outcome::NotStored => fate.count("read back not stored"),
                Outcome::Fenced => fate.count("read back fenced"),
            });
        } else if let Some(Ok(RenewVerdict::Gone)) = as_reply::<RenewVerdict>(result) {
            fate.count("node found itself reclaimed");
        } else if let Some(Ok(_)) = as_reply::<KeyStateVerdict>(result) {
            fate.count("key suspended");
        } else if let Some(Err(StoreError::Refused(why))) = as_reply::<Vec<CommitVerdict>>(result) {
            assert_eq!(why, AS_PLANNED, "a fence let through what the schema refuses");
            fate.count("commit refused");
        }
    }
}

/// What the process hears of its own lease, and from when on it counts.
struct Renewal {
    sent_at: Duration,
    ttl: Duration,
}

impl Renewal {
    fn of(message: &dyn Any, clock: &Clock) -> Option<Self> {
        let register = message.downcast_ref::<Register>().map(|register| register.ttl);
        let ttl = register.or_else(|| message.downcast_ref::<Renew>().map(|renew| renew.ttl))?;
        Some(Self { sent_at: clock(), ttl })
    }

    fn heard(self, line: &Line, result: &dyn Any) {
        let (number, until) = (line.process.number, self.sent_at + self.ttl / 2);
        let mut ledger = line.shared.ledger.lock().unwrap();
        if let Some(Ok(node)) = as_reply::<NodeId>(result) {
            ledger.registered(number, *node, until, Clock::clone(&line.clock));
        } else if let Some(Ok(RenewVerdict::Renewed)) = as_reply::<RenewVerdict>(result) {
            ledger.renewed(number, until);
        }
    }
}

fn as_reply<T: 'static>(result: &dyn Any) -> Option<&Result<T, StoreError>> {
    result.downcast_ref()
}

fn name<M>() -> &'static str {
    let path = std::any::type_name::<M>();
    path.rsplit("::").next().unwrap_or(path)
}

fn broken() -> StoreError {
    StoreError::UnknownOutcome("the connection broke".to_owned())
}

fn away() -> StoreError {
    StoreError::Unavailable("the connection cannot be made".to_owned())
}

const AS_PLANNED: &str = "as planned";

/// What becomes of a call of the store.
fn fault(shared: &Shared, method: Method) -> Option<Fault> {
    let (fate, weather) = (&shared.fate, shared.weather());
    if fate.chance(weather.lost) {
        fate.count("reply lost");
        return Some(Fault::Persisted);
    }
    if fate.chance(weather.panicking) {
        fate.count("call panicked");
        return Some(Fault::First(Box::new(|| panics::planned())));
    }
    if matches!(method, Method::Commit | Method::Lease) && fate.chance(weather.refusing) {
        fate.count("call refused");
        return Some(Fault::NotPersisted(StoreError::Refused(AS_PLANNED.to_owned())));
    }
    if !fate.chance(weather.failing) {
        return None;
    }
    fate.count("call failed");
    Some(Fault::NotPersisted(match fate.between(0, 5) {
        0 => StoreError::Busy,
        1 => away(),
        2 => broken(),
        3 => StoreError::Full,
        4 => StoreError::ReadOnly("a standby".to_owned()),
        _ => StoreError::Other("nobody foresaw this".to_owned()),
    }))
}

/// A message on its way, from when it left the node.
async fn carry<M>(line: Rc<Line>, message: M) -> Result<M::Reply, StoreError>
where
    M: Transaction + 'static,
    M::Reply: Debug,
{
    let fate = &line.shared.fate;
    if line.process.is_over() {
        return Err(away()); // nobody hears it
    }
    if let Some(Commit(batches, part)) = (&message as &dyn Any).downcast_ref::<Commit>() {
        line.shared.checks(|checks| checks.sent(line.process.number, &batches[part.clone()]));
    }
    let renewal = Renewal::of(&message, &line.clock);
    line.may_crash();
    let weather = line.shared.weather();
    if fate.chance(weather.late) {
        fate.count("message late");
        // Often just when what it carries is read back and sent again.
        let (late, time) = (Rc::clone(&line), fate.millis(0, fate.one_of(&[30, weather.longest])));
        spawn_local(async move {
            sleep(time).await;
            late.shared.fate.log(format_args!("process {}: late:", late.process.number));
            drop(late.perform(message));
        });
        line.shared.travel().await;
        return Err(broken());
    }
    if (&message as &dyn Any).is::<Commit>() {
        line.may_freeze().await;
    }
    let turn = if line.in_turn { Some(line.turn.lock().await) } else { None };
    line.shared.travel().await;
    if line.is_broken() {
        return Err(away());
    }
    let result = line.perform(message);
    line.may_crash();
    drop(turn);
    line.shared.travel().await;
    if line.is_broken() {
        fate.count("reply lost");
        return Err(broken());
    }
    if let Some(renewal) = renewal {
        renewal.heard(&line, &result);
    }
    result
}

impl Actor for Database {
    type Context = Context<Self>;
}

impl<M> Handler<M> for Database
where
    M: Transaction + 'static,
    M::Reply: Debug,
{
    type Result = ResponseFuture<Result<M::Reply, StoreError>>;

    fn handle(&mut self, message: M, _: &mut Self::Context) -> Self::Result {
        Box::pin(carry(Rc::clone(&self.0), message))
    }
}
