//! Running the actors from a command: signals stop them, a bar shows how far they are.

use std::{
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{
    context::{Context, Database},
    failure::StoppedBy,
    progress::Unit,
};
use crate::{
    actors::{self, Counters, Ending, Parts, RunError},
    store::Store,
};

/// What a run came to.
pub struct Run {
    /// How it ended.
    pub ending: Ending,
    /// The signal that stopped it.
    signal: Option<i32>,
    /// What it did.
    pub counters: Arc<Counters>,
    /// How long it took.
    pub took: Duration,
}

impl Run {
    /// Records signed per second.
    pub fn per_second(&self) -> f64 {
        self.counters.signed() as f64 / self.took.as_secs_f64()
    }

    /// The signal that stopped it before everything was signed. A database that does not say how much is
    /// left within a second has something left.
    pub fn stopped_by(&self, store: &Arc<dyn Store>) -> Option<StoppedBy> {
        let signal = self.signal.filter(|_| self.ending == Ending::Stopped)?;
        let (store, (answer, is_done)) = (Arc::clone(store), channel());
        let ask = move || _ = answer.send(store.status().is_ok_and(|status| status.waiting() == 0));
        let is_asked = thread::Builder::new().spawn(ask).is_ok();
        let is_done = is_asked && is_done.recv_timeout(ANSWER).unwrap_or(false);
        (!is_done).then_some(StoppedBy(signal))
    }
}

/// How long a database may take to say whether anything is left.
const ANSWER: Duration = Duration::from_secs(1);

/// What the actors run on.
pub fn system() -> Result<actix_rt::SystemRunner> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.context("the operating system does not let the service begin: raise 'ulimit -n'")?;
    Ok(actix_rt::System::with_tokio_rt(move || runtime))
}

/// Signs until the run ends by itself, SIGINT or SIGTERM stops it, or its caller does. Others may watch its counters
/// in the meantime.
pub fn run(context: &Context, database: &Database, parts: Parts) -> Result<Run> {
    let (counters, stop) = (Arc::clone(&parts.counters), parts.stop.clone());
    let total = if parts.mode.drains() { database.store.status()?.waiting() } else { 0 };
    let begun = Instant::now();
    let users = Arc::strong_count(&database.store);
    let ending = thread::scope(|scope| -> Result<Ending> {
        let _watched = Watched::start(scope, context, total, Arc::clone(&counters))?;
        let run = async {
            let signals = actix_rt::spawn(stop.clone().on_signals());
            let ended = actors::run(parts, Arc::clone(&database.store)).await;
            signals.abort();
            ended
        };
        match (system()?.block_on(run), stop.signal()) {
            (Err(aborted @ RunError::Aborted), Some(signal)) => {
                log::error!("{aborted}");
                bail!(StoppedBy(signal))
            }
            (ended, _) => Ok(ended?),
        }
    });
    let took = begun.elapsed();
    outlast_threads(&database.store, users);
    Ok(Run { ending: ending?, signal: stop.signal(), counters, took })
}

/// The threads of the actors let go of the database a moment after the run. An SQLite database that is closed
/// after them keeps no log: the file alone is all of it, for whoever copies it, or may only read.
fn outlast_threads(store: &Arc<dyn Store>, users: usize) {
    let deadline = Instant::now() + Duration::from_secs(1);
    while Arc::strong_count(store) > users && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
}

/// A thread that shows the progress; it ends when this is dropped.
struct Watched(#[expect(dead_code, reason = "dropping it is the signal")] Sender<()>);

impl Watched {
    fn start<'scope>(
        scope: &'scope thread::Scope<'scope, '_>,
        context: &'scope Context,
        total: u64,
        counters: Arc<Counters>,
    ) -> Result<Self> {
        let (ended, watch) = channel();
        let show = move || {
            let shown = context.progress("signing", total, Unit::Pieces);
            while watch.recv_timeout(Duration::from_millis(200)) == Err(RecvTimeoutError::Timeout) {
                shown.set(counters.signed());
            }
            shown.finish();
        };
        let started = thread::Builder::new().spawn_scoped(scope, show);
        started.map_err(|error| RunError::Threads(error.to_string()))?;
        Ok(Self(ended))
    }
}
