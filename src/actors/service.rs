//! The one place where the actors are started, watched and stopped.

use std::{sync::Arc, time::Duration};

use actix::{Actor, Addr, AsyncContext, Context};
use actix_rt::time::{sleep, timeout};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    clock::{self, Clock},
    db::Db,
    db_executor::DbExecutor,
    emit::{Emit, Outlet},
    end::{End, Ends, RunError},
    heartbeat::{Heartbeat, Pulse},
    ingest::{Ingest, Links},
    key_actor::KeyTools,
    listening::Listening,
    messages::{Leave, Settle},
    news::News,
    outage::Outage,
    parts::Parts,
    patience::Patience,
    pools::Pools,
    sequencing::Sequencing,
    share::Share,
    signing_pool::SigningPool,
    standing::{Standing, StopLevel},
    stop::Stop,
    supervisor::Supervisor,
};
use crate::store::{Listener, Store};

/// How a run ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing waits any more, except for batches that other nodes hold.
    Drained {
        /// Batches leased by other nodes.
        held_elsewhere: usize,
    },
    /// The run was asked to stop, and gave back the batches that it had not finished.
    Stopped,
}

/// How long each of the last steps of a stop may take: giving back batches, and removing the node. They take
/// milliseconds, and some seconds where a disk is busy.
const LAST_STEPS: Duration = Duration::from_secs(3);

/// Signs the records of `store` until the run ends by itself (see [`Mode`]) or is asked to stop. Callers must await
/// it inside an `actix_rt` system.
///
/// # Errors
/// See [`RunError`]. The records that the run did not sign still wait.
///
/// [`Mode`]: super::Mode
pub async fn run(parts: Parts, store: Arc<dyn Store>) -> Result<Ending, RunError> {
    let transactions = transactions(&store);
    run_beside(parts, store, transactions).await
}

/// The database threads of a run, which carry out one transaction after the other.
pub fn transactions(store: &Arc<dyn Store>) -> Addr<DbExecutor> {
    DbExecutor::start(store, store.connections())
}

/// As [`run`], with database threads that the caller uses, too.
///
/// # Errors
/// As [`run`].
pub async fn run_beside(
    parts: Parts,
    store: Arc<dyn Store>,
    transactions: Addr<DbExecutor>,
) -> Result<Ending, RunError> {
    // Long reads have a separate thread.
    let reads = DbExecutor::start(&store, 1);
    let (db, stop) = (Db::of(&transactions).reading_from(&reads), &parts.stop);
    let start = async || {
        // A run that drains needs no notifications, because it ends when nothing is left.
        let listener = if parts.mode.drains() { None } else { store.listener()? };
        let mut service =
            Service::start(parts.clone(), db.clone(), clock::boottime(), SigningPool::start).await?;
        listener.map_or(Ok(()), |listener| service.listen(listener))?;
        Ok(service)
    };
    let mut outage = Outage::default();
    loop {
        match Service::unless_stopped(start(), stop).await {
            Ok(Some(service)) => return service.run_until_end().await,
            Ok(None) => return Ok(Ending::Stopped),
            // A service waits for a database that fails during the start, as it does later.
            Err(RunError::Store(error)) if !parts.mode.drains() && error.is_outage() => {
                outage.note("start", &Err::<(), _>(error));
            }
            Err(error) => return Err(error),
        }
        if !outage.wait(stop).await {
            return Ok(Ending::Stopped);
        }
    }
}

/// The actors at work.
pub struct Service {
    standing: Arc<Standing>,
    ingest: Addr<Ingest>,
    heartbeat: Addr<Heartbeat>,
    news: News,
    stop: Stop,
    listening: Option<Listening>,
    sequencing: Sequencing,
    ended: UnboundedReceiver<End>,
    pools: Arc<Pools>,
    patience: Patience,
}

impl Service {
    /// Reclaims the batches of dead nodes, registers this process as a node, and starts every actor. `pool` starts
    /// the threads of a share.
    ///
    /// # Errors
    /// When the settings contradict themselves or the database refuses.
    pub async fn start(
        parts: Parts,
        db: Db,
        clock: Clock,
        pool: impl FnMut(&Share) -> std::io::Result<SigningPool>,
    ) -> Result<Self, RunError> {
        let shares = parts.shares();
        let Parts { settings, opener, mode, stop, counters, news, commits, events, vitals } = parts;
        settings.check()?;
        let standing = vitals.show(Standing::telling(clock, events));
        let signs = mode.roles().signs();
        let pulse =
            Pulse::new(&settings, signs.then(|| Arc::clone(&opener)), db.clone(), Arc::clone(&standing));
        pulse.reclaim().await?;
        pulse.register().await?;
        let pools =
            Pools::start(shares.clone(), pool).map_err(|error| RunError::Threads(error.to_string()))?;
        let (pools, patience) = (Arc::new(pools), Patience::of(&settings, shares.threads()));
        let (ends, ended) = Ends::new(mode);

        // Ingest and the others need each other's addresses: Ingest's address comes first, the actor last.
        let ingest = Context::<Ingest>::new();
        let tools = KeyTools {
            db: db.clone(),
            opener: Arc::clone(&opener),
            checking: settings.checking,
            pools: Arc::clone(&pools),
            standing: Arc::clone(&standing),
        };
        let sequencing = Sequencing::start(db.sequence.clone(), commits.listen(), settings.lease_ttl / 3);
        let supervisor = Supervisor::new(settings.node_name.clone(), tools).start();
        let wakes = ingest.address().recipient();
        let outlet = Outlet {
            db: db.clone(),
            ingest: wakes.clone(),
            news: news.clone(),
            standing: Arc::clone(&standing),
            ends: ends.clone(),
        };
        let emit = Emit::new(&settings, outlet).start();
        let heartbeat = Heartbeat::new(pulse, wakes, emit.clone().recipient(), ends.clone()).start();
        let links = Links {
            db,
            feed: emit.recipient(),
            sign: supervisor.recipient(),
            doubt: heartbeat.clone().recipient(),
            reregister: heartbeat.clone().recipient(),
            standing: Arc::clone(&standing),
            counters,
            commits,
            opener,
            shares,
            ends,
        };
        let ingest = ingest.run(Ingest::new(&settings, links));
        let listening = None;
        Ok(Self { standing, ingest, heartbeat, news, stop, listening, sequencing, ended, pools, patience })
    }

    /// Returns the result of `starting`; `None` if a stop was requested and `starting` does not end soon after it.
    /// A database that does not answer must not prevent a stop.
    ///
    /// # Errors
    /// Those of `starting`.
    pub async fn unless_stopped(
        starting: impl Future<Output = Result<Self, RunError>>,
        stop: &Stop,
    ) -> Result<Option<Self>, RunError> {
        let in_vain = async {
            stop.requested(1).await;
            tokio::select! {
                () = sleep(LAST_STEPS) => {}
                () = stop.requested(2) => {}
            }
        };
        tokio::select! {
            biased;
            started = starting => started.map(Some),
            () = in_vain => {
                log::warn!("stopped while starting: if this node is already registered, its lease will run out");
                Ok(None)
            }
        }
    }

    /// Makes Emit look at the database after each notification of `listener`, in addition to its polls.
    ///
    /// # Errors
    /// When the operating system refuses to start a thread.
    pub fn listen(&mut self, listener: Box<dyn Listener>) -> Result<(), RunError> {
        let listening = Listening::start(listener, self.news.clone())
            .map_err(|error| RunError::Threads(error.to_string()))?;
        self.listening = Some(listening);
        Ok(())
    }

    /// Lets the actors work until the run ends or is stopped, then stops them in order.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn run_until_end(mut self) -> Result<Ending, RunError> {
        // Biased, so that the same events always have the same result.
        let end = tokio::select! {
            biased;
            end = self.ended.recv() => end,
            () = self.stop.requested(1) => None,
        };
        tokio::select! {
            biased;
            () = self.stop_in_order() => {}
            () = self.stop.requested(3) => return Err(RunError::Aborted),
        }
        match end {
            Some(End::Drained { held_elsewhere }) => Ok(Ending::Drained { held_elsewhere }),
            Some(End::Failed(error)) => Err(error),
            None => Ok(Ending::Stopped),
        }
    }

    /// Stops leasing, finishes and stores the batches that are being signed, within the grace, gives the rest back,
    /// and removes the node. If we die anywhere here, other nodes reclaim what is left.
    async fn stop_in_order(&self) {
        self.standing.stop(StopLevel::Finishing);
        self.pools.give_back_waiting();
        self.patience.announce(&self.standing);
        let (standing, patience) = (Arc::clone(&self.standing), self.patience);
        let interrupt = async move {
            patience.lasts(&standing, &self.stop).await;
            standing.stop(StopLevel::Interrupting);
            sleep(LAST_STEPS).await;
        };
        tokio::select! {
            biased;
            _ = self.ingest.send(Settle) => {}
            () = interrupt => log::warn!("batches in hand could not be stored or given back: other nodes will reclaim them"),
        }
        self.standing.stop(StopLevel::Interrupting);
        let leaving = timeout(LAST_STEPS, self.heartbeat.send(Leave));
        let ((), left) = tokio::join!(self.sequencing.finish(LAST_STEPS), leaving);
        match left {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => {
                log::warn!("this node could not be removed, so its lease will run out: {error}")
            }
            Ok(Err(_)) | Err(_) => {
                log::warn!("this node could not be removed in time, so its lease will run out")
            }
        }
    }
}
