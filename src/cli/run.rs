//! Running the actors from a command: signals stop them, a bar shows how far they are.

use std::{
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    context::{Context, Database},
    progress::Unit,
};
use crate::{
    actors::{self, Ending, Mode, Progress, Stop},
    config::Settings,
    signer::OpenSigner,
    store::Store,
};

/// What a run came to.
pub struct Run {
    /// How it ended.
    pub ending: Ending,
    /// What it did.
    pub progress: Arc<Progress>,
    /// How long it took.
    pub took: Duration,
}

impl Run {
    /// Records signed per second.
    pub fn per_second(&self) -> f64 {
        self.progress.signed() as f64 / self.took.as_secs_f64()
    }
}

/// Signs until the run ends by itself, or SIGINT or SIGTERM stops it.
pub fn run(
    context: &Context,
    database: &Database,
    settings: &Settings,
    opener: Arc<dyn OpenSigner>,
    mode: Mode,
) -> Result<Run> {
    run_watched(context, database, settings, opener, mode, Arc::default(), Stop::default())
}

/// As [`run`], with counters that others can watch meanwhile, and a stop that they can ask for.
pub fn run_watched(
    context: &Context,
    database: &Database,
    settings: &Settings,
    opener: Arc<dyn OpenSigner>,
    mode: Mode,
    progress: Arc<Progress>,
    stop: Stop,
) -> Result<Run> {
    let settings = &Settings { connections: context.connections(&database.url), ..settings.clone() };
    let total = match mode {
        Mode::Serve => 0,
        Mode::Drain => database.store.status()?.waiting(),
    };
    let (begun, users) = (Instant::now(), Arc::strong_count(&database.store));
    let ending = thread::scope(|scope| -> Result<Ending> {
        let _watched = Watched::start(scope, context, total, Arc::clone(&progress));
        let run = async {
            let signals = actix_rt::spawn(stop.clone().on_signals());
            let store = Arc::clone(&database.store);
            let ended = actors::run(settings, store, opener, mode, Arc::clone(&progress), stop).await;
            signals.abort();
            ended
        };
        Ok(actix_rt::System::new().block_on(run)?)
    });
    let took = begun.elapsed();
    outlast_threads(&database.store, users);
    Ok(Run { ending: ending?, progress, took })
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
        progress: Arc<Progress>,
    ) -> Self {
        let (ended, watch) = channel();
        scope.spawn(move || {
            let shown = context.progress("signing", total, Unit::Pieces);
            while watch.recv_timeout(Duration::from_millis(200)) == Err(RecvTimeoutError::Timeout) {
                shown.set(progress.signed());
            }
            shown.finish();
        });
        Self(ended)
    }
}
