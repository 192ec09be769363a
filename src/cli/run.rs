//! Runs the actors for a command: signals stop them, and a bar shows their progress.

use std::{
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Error, Result, bail};
use tokio::sync::oneshot;

use super::{
    context::{Context, Database},
    entrance::Entrance,
    failure::StoppedBy,
    progress::Unit,
};
use crate::{
    actors::{self, Counters, Ending, Parts, RunError, Stop},
    heads::Heads,
    http::{App, Running, Server},
    intake::{self, Taking},
    publishing::{self, Publishing},
    signer::Keyring,
    store::Store,
    webhooks::Sending,
};

/// The result of a run.
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

    /// The signal that stopped the run while work was left. If the database does not answer within a second, we
    /// assume that work is left.
    pub fn stopped_by(&self, store: &Arc<dyn Store>) -> Option<StoppedBy> {
        let signal = self.signal.filter(|_| self.ending == Ending::Stopped)?;
        let (store, (answer, is_done)) = (Arc::clone(store), channel());
        let ask = move || _ = answer.send(store.status().is_ok_and(|status| status.waiting() == 0));
        let is_asked = thread::Builder::new().spawn(ask).is_ok();
        let is_done = is_asked && is_done.recv_timeout(ANSWER).unwrap_or(false);
        (!is_done).then_some(StoppedBy(signal))
    }
}

/// How long the database may take to say whether work is left.
const ANSWER: Duration = Duration::from_secs(1);

/// The actix system that the actors run on.
pub fn system() -> Result<actix_rt::SystemRunner> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.context("the operating system does not let the service start: raise 'ulimit -n'")?;
    Ok(actix_rt::System::with_tokio_rt(move || runtime))
}

/// Signs until the work is done, or SIGINT, SIGTERM or the caller stops the run. Other threads may watch the
/// counters.
pub fn run(context: &Context, database: &Database, parts: Parts) -> Result<Run> {
    run_beside(context, database, parts, Beside::default())
}

/// What a service has beside its run.
#[derive(Default)]
pub struct Beside {
    /// Answers while the run lasts.
    pub api: Option<Api>,
    /// Where messages come from.
    pub intake: Option<intake::Address>,
    /// Where signatures are published.
    pub publish: Vec<publishing::Address>,
    /// Opens the secrets of webhooks, whose messages are sent while the run lasts.
    pub webhooks: Option<Arc<Keyring>>,
    /// Opens the key of the ledger, whose heads are signed while the run lasts.
    pub heads: Option<Arc<Keyring>>,
}

/// A server that answers while a run lasts.
pub struct Api {
    /// Where it listens.
    pub server: Server,
    /// Seals new keys.
    pub keyring: Arc<Keyring>,
    /// How people get into the dashboard.
    pub entrance: Option<Entrance>,
}

/// The same beside a server that answers, an intake that takes messages, and publishers, while the run lasts.
pub fn run_beside(context: &Context, database: &Database, parts: Parts, more: Beside) -> Result<Run> {
    let (counters, stop) = (Arc::clone(&parts.counters), parts.stop.clone());
    let total = if parts.mode.drains() { database.store.status()?.waiting() } else { 0 };
    let begun = Instant::now();
    let users = Arc::strong_count(&database.store);
    let ending = thread::scope(|scope| -> Result<Ending> {
        let _watched = Watched::start(scope, context, total, Arc::clone(&counters))?;
        let run = async {
            let signals = actix_rt::spawn(stop.clone().on_signals());
            let transactions = actors::transactions(&database.store);
            let taking = more.intake.map(|address| Taking::start(address, &parts, &transactions));
            let publishing = Publishing::start(more.publish, &parts, &database.store, &transactions);
            let sending = more.webhooks.map(|keyring| Sending::start(&parts, &transactions, &keyring));
            let heads = more.heads.map(|keyring| Heads::start(&transactions, &keyring));
            let answering = match more.api {
                Some(Api { server, keyring, entrance }) => {
                    let app = App::new(&parts, &database.store, &transactions, keyring);
                    taking.iter().for_each(|taking| app.note_intake(taking.counters()));
                    app.note_publishers(publishing.counters());
                    sending.iter().for_each(|sending| app.note_webhooks(sending.counters()));
                    let answering = server.start(&app)?;
                    entrance.into_iter().for_each(|entrance| entrance.open(&app, context));
                    Some(answering)
                }
                None => None,
            };
            let work = actors::run_beside(parts, Arc::clone(&database.store), transactions);
            let ended = beside(answering, &stop, work).await;
            if let Some(taking) = taking {
                taking.end().await;
            }
            publishing.end().await;
            if let Some(sending) = sending {
                sending.end().await;
            }
            if let Some(heads) = heads {
                heads.end().await;
            }
            signals.abort();
            Ok::<_, Error>(ended)
        };
        match (system()?.block_on(run)?, stop.signal()) {
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

/// The result of `work`. The server answers until the work ends or a stop is requested.
async fn beside<T>(answering: Option<Running>, stop: &Stop, work: impl Future<Output = T>) -> T {
    let Some(answering) = answering else { return work.await };
    let (over, ended) = oneshot::channel();
    let until = async {
        tokio::select! {
            () = stop.requested(1) => {}
            _ = ended => {}
        }
    };
    let work = async {
        let result = work.await;
        _ = over.send(());
        result
    };
    tokio::join!(work, answering.run(until)).0
}

/// Waits until the threads of the actors have closed the database, which they do shortly after the run. If we close
/// an SQLite database last, its log is written back and removed. Users can then copy the file alone, or open it
/// with read permission only.
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
