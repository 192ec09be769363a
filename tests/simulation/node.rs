//! A node: a process of its own, as far as that goes on one thread. Its tasks live in a set that can be left
//! alone for a while (a pause) or dropped at once with all that is in it (a crash).

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use actix::Actor;
use signwave::{
    actors::{Counters, Ending, Mode, Parts, RunError, Stop, db::Db, service::Service, share::Share},
    config::Settings,
    domain::NodeId,
};
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use crate::{
    database::{Database, Line},
    shared::Shared,
    signers::{Bench, Opener},
};

type Ended = Result<Ending, RunError>;

/// What a machine has of a process.
#[derive(Default)]
pub struct Process {
    /// The first process of a run is 0; none comes back.
    pub number: usize,
    /// The ids under which it was registered, as far as it was told.
    pub nodes: RefCell<Vec<NodeId>>,
    pub is_cut_off: Cell<bool>,
    is_paused: Cell<bool>,
    is_over: Cell<bool>,
    is_started: Cell<bool>,
    tasks: RefCell<Option<(LocalSet, JoinHandle<Ended>)>>,
    ended: RefCell<Option<Ended>>,
    waker: RefCell<Option<Waker>>,
}

impl Process {
    /// Nothing that it sends arrives any more. What has arrived is carried out.
    pub fn is_over(&self) -> bool {
        self.is_over.get()
    }

    /// Without any goodbye. Not to be called from its own tasks.
    pub fn crash(&self) {
        self.is_over.set(true);
        drop(self.tasks.borrow_mut().take());
        self.wake();
    }

    /// Neither its tasks nor its threads go on; its clock does.
    pub fn pause(&self) {
        self.is_paused.set(true);
    }

    pub fn resume(&self) {
        self.is_paused.set(false);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        *self.waker.borrow_mut() = Some(context.waker().clone());
        if self.is_paused.get() {
            return Poll::Pending;
        }
        let mut tasks = self.tasks.borrow_mut();
        let Some((set, service)) = tasks.as_mut() else { return Poll::Ready(()) };
        let _ = Pin::new(set).poll(context);
        let Poll::Ready(ended) = Pin::new(service).poll(context) else { return Poll::Pending };
        // As at the end of main: whatever still goes on ends with the process.
        self.is_over.set(true);
        *self.ended.borrow_mut() = ended.ok();
        drop(tasks.take());
        Poll::Ready(())
    }
}

pub struct Node {
    pub process: Rc<Process>,
    pub mode: Mode,
    pub settings: Settings,
    pub stop: Stop,
    pub counters: Arc<Counters>,
    /// When it was told to stop, in simulated time, unless something has held it up since.
    pub stopping_since: Option<Duration>,
    /// Whether it was told to.
    pub is_stopping: bool,
}

impl Node {
    pub fn start(shared: &Shared, number: usize, settings: &Settings, mode: Mode, in_turn: bool) -> Self {
        let process = Rc::new(Process { number, ..Process::default() });
        let clock = shared.node_clock();
        let line = Rc::new(Line::new(shared.clone(), Rc::clone(&process), Arc::clone(&clock), in_turn));
        let db = Db::of(&Database(line).start());
        let bench = Bench { shared: shared.clone(), process: number };
        let parts = Parts::new(settings.clone(), Arc::new(Opener(shared.clone())), mode);
        shared.checks(|checks| checks.watch(number, Arc::clone(&parts.counters)));
        let (at_start, stop, counters) =
            (Rc::clone(&process), parts.stop.clone(), Arc::clone(&parts.counters));
        let told = stop.clone();
        let tasks = LocalSet::new();
        let service = tasks.spawn_local(async move {
            let pool = |share: &Share| Ok(bench.clone().pool(share));
            let starting = Service::start(parts, db, clock, pool);
            let Some(service) = Service::unless_stopped(starting, &told).await? else {
                return Ok(Ending::Stopped);
            };
            at_start.is_started.set(true);
            service.run_until_end().await
        });
        *process.tasks.borrow_mut() = Some((tasks, service));
        let at_work = Rc::clone(&process);
        spawn_local(poll_fn(move |context| at_work.poll(context)));
        let settings = settings.clone();
        Self { process, mode, settings, stop, counters, stopping_since: None, is_stopping: false }
    }

    pub fn is_paused(&self) -> bool {
        self.process.is_paused.get()
    }

    /// Whether it got as far as to be a node.
    pub fn is_started(&self) -> bool {
        self.process.is_started.get()
    }

    /// How it ended by itself.
    pub fn ended(&self) -> Option<Ended> {
        self.process.ended.borrow().clone()
    }
}
