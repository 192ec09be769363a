//! What happens on one connection: chunks are read, sent, confirmed, and then the place of the outlet is stored.

use std::{collections::VecDeque, future::pending, pin::Pin, time::Duration};

use tokio::{
    sync::broadcast::Receiver,
    time::{Interval, MissedTickBehavior, interval, timeout},
};

use super::{
    broker::{Health, Session},
    chunk::Chunk,
    counters::State,
    links::{Links, what},
    reading::{self, Found, Read},
};
use crate::{
    actors::{Committed, call::call, clock::Clock, outage::Outage},
    brokers::BrokerError,
    domain::{Place, Position},
    formats::feed::{Reader, Refusal},
    store::{AdvanceVerdict, Claim, Store, StoreError},
};

/// Chunks that are sent and not confirmed, at most: 2 MiB. They are sent again if the connection is lost.
const WINDOW: usize = 32;

/// How long the broker may confirm nothing that was sent to it.
const CONFIRMING: Duration = Duration::from_secs(30);

/// How long a stop waits for the confirms of what was sent.
const STOPPING: Duration = Duration::from_secs(4);

/// How long storing the last place may take at the end.
const SETTLING: Duration = Duration::from_secs(2);

/// How often the place is stored, at most. A process that is killed has sent in vain what was confirmed since.
const STORING: Duration = Duration::from_millis(200);

/// How often to look whether other nodes have signed something.
const LOOK: Duration = Duration::from_millis(500);

/// What is wrong when the broker says so.
const BLOCKED: &str =
    "the broker takes no messages for now, because its memory or its disk is full: see its log";

/// How often to look at what no event tells.
const TICK: Duration = Duration::from_millis(100);

/// Why a transmission is over.
#[derive(Debug)]
pub enum Ended {
    /// A stop was requested.
    Stopped,
    /// The claim does not stand any more, or may not.
    Fenced,
    /// The broker does not take the chunks.
    Broker(BrokerError),
    /// The database does not answer.
    Database(StoreError),
    /// The feed does not have the position.
    NotInFeed(Refusal),
    /// The destination has a position that the feed does not have.
    Ahead(Position),
}

/// What is left of a transmission.
pub struct Left {
    /// Why it is over.
    pub ended: Ended,
    /// The claim, as far as it is known to stand.
    pub claim: Option<Claim>,
    /// Everything up to here is confirmed.
    pub confirmed: Position,
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// A place that was to be stored: the claim, when that was sent, and what came of it.
type Stored = (Claim, Duration, Result<AdvanceVerdict, StoreError>);

/// One connection at work.
pub struct Transmission<'a, S> {
    links: &'a Links,
    clock: &'a Clock,
    outage: &'a mut Outage,
    session: S,
    /// `None` while it is used to store a place.
    claim: Option<Claim>,
    storing: Option<BoxFuture<Result<Stored, StoreError>>>,
    /// When the claim was renewed last, by this machine's clock.
    renewed_at: Duration,
    /// When to store next, after an outage.
    store_at: Duration,
    /// Why the database does not do what it is asked.
    trouble: Option<StoreError>,
    reader: Option<Reader>,
    reading: Option<BoxFuture<Result<Read, StoreError>>>,
    /// When to read next, if all was read.
    look_at: Duration,
    /// What was read and is not sent, and the position behind it.
    ready: VecDeque<Chunk>,
    read_to: Position,
    /// What was sent and is not confirmed: the position behind each chunk, and its signatures.
    sent: VecDeque<(Position, u64)>,
    confirmed: Position,
    /// It grows with the first confirm, so that a broker which takes nothing is not sent much again and again.
    window: usize,
    /// When the broker confirmed something last, or had nothing to confirm.
    heard_at: Duration,
    /// When a stop was requested.
    ending_at: Option<Duration>,
}

impl<'a, S: Session> Transmission<'a, S> {
    /// A transmission that begins behind `from`. The claim was renewed at `renewed_at`.
    pub fn new(
        links: &'a Links,
        clock: &'a Clock,
        outage: &'a mut Outage,
        session: S,
        (claim, renewed_at): (Claim, Duration),
        from: Position,
    ) -> Self {
        let now = clock();
        Self {
            links,
            clock,
            outage,
            session,
            claim: Some(claim),
            storing: None,
            renewed_at,
            store_at: now,
            trouble: None,
            reader: None,
            reading: None,
            look_at: now,
            ready: VecDeque::new(),
            read_to: from,
            sent: VecDeque::new(),
            confirmed: from,
            window: 1,
            heard_at: now,
            ending_at: None,
        }
    }

    /// Publishes until something ends it. Then the place of what is confirmed is stored, if that is still possible.
    pub async fn run(mut self) -> Left {
        let mut commits = self.links.commits.listen();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.links.counters.reached(self.confirmed);
        let ended = loop {
            if let Err(ended) = self.turn(&mut commits, &mut ticks).await {
                break ended;
            }
        };
        if !matches!(ended, Ended::Fenced | Ended::Database(_))
            && timeout(SETTLING, self.settle()).await.is_err()
        {
            log::debug!("the place of {} could not be stored at the end", self.links.counters.destination());
        }
        if timeout(SETTLING, self.session.close()).await.is_err() {
            log::debug!("{} did not answer to the end", self.links.counters.destination());
        }
        Left { ended, claim: self.claim, confirmed: self.confirmed }
    }

    /// Does what can be done now, then waits for the next event.
    async fn turn(&mut self, commits: &mut Receiver<Committed>, ticks: &mut Interval) -> Result<(), Ended> {
        self.check()?;
        self.send().await?;
        self.read();
        self.store();
        let stop = self.links.stop.clone();
        tokio::select! {
            biased;
            () = stop.requested(1), if self.ending_at.is_none() => self.ending_at = Some((self.clock)()),
            confirmed = self.session.confirmed(), if !self.sent.is_empty() => self.note_confirmed(confirmed)?,
            stored = result(&mut self.storing) => {
                self.storing = None;
                self.note_stored(stored)?;
            }
            read = result(&mut self.reading) => {
                self.reading = None;
                self.note_read(read)?;
            }
            _ = commits.recv() => self.look_at = Duration::ZERO, // also when it has missed some
            _ = ticks.tick() => {}
        }
        Ok(())
    }

    /// Whether to go on.
    fn check(&mut self) -> Result<(), Ended> {
        let now = (self.clock)();
        // By this clock the claim is over no later than by that of the database, which got the renewal after it was sent.
        if now.saturating_sub(self.renewed_at) >= self.links.hold {
            return Err(self.trouble.take().map_or(Ended::Fenced, Ended::Database));
        }
        match self.session.health().map_err(Ended::Broker)? {
            Health::Taking if self.sent.is_empty() => self.heard_at = now,
            Health::Taking => {}
            Health::Blocked => {
                self.heard_at = now;
                self.links.counters.fail(State::Blocked, BLOCKED.to_owned());
            }
        }
        if now.saturating_sub(self.heard_at) >= CONFIRMING {
            let silent = format!("the broker has confirmed nothing for {} s", CONFIRMING.as_secs());
            return Err(Ended::Broker(BrokerError(silent)));
        }
        match self.ending_at {
            Some(_) if self.sent.is_empty() => Err(Ended::Stopped),
            Some(at) if now.saturating_sub(at) >= STOPPING => Err(Ended::Stopped),
            _ => Ok(()),
        }
    }

    async fn send(&mut self) -> Result<(), Ended> {
        while self.ending_at.is_none() && self.sent.len() < self.window {
            let Some(chunk) = self.ready.pop_front() else { break };
            // What if we die here, or anywhere until the place is stored? The chunk is sent again, with the same id.
            self.session.send(&chunk).await.map_err(Ended::Broker)?;
            self.sent.push_back((chunk.position, chunk.signatures));
        }
        Ok(())
    }

    fn note_confirmed(&mut self, confirmed: Result<(), BrokerError>) -> Result<(), Ended> {
        confirmed.map_err(Ended::Broker)?;
        if let Some((position, signatures)) = self.sent.pop_front() {
            self.confirmed = position;
            self.links.counters.reached(position);
            self.links.counters.confirmed(signatures);
        }
        (self.heard_at, self.window) = ((self.clock)(), WINDOW);
        self.note_well();
        Ok(())
    }

    /// Notes that the broker takes messages.
    fn note_well(&mut self) {
        self.outage.note(&what(self.links), &Ok::<_, BrokerError>(()));
        self.links.counters.enter(State::Publishing);
    }

    /// Begins to read, if there is room and there may be something.
    fn read(&mut self) {
        let room = self.window.saturating_sub(self.ready.len());
        let is_due = (self.clock)() >= self.look_at;
        if self.reading.is_some() || room == 0 || !is_due || self.ending_at.is_some() {
            return;
        }
        let (reads, reader, after) = (self.links.reads.clone(), self.reader.take(), self.read_to);
        self.reading = Some(Box::pin(async move {
            call(&reads, move |store| reading::read(store, reader, after, room)).await
        }));
    }

    fn note_read(&mut self, read: Result<Read, StoreError>) -> Result<(), Ended> {
        let now = (self.clock)();
        let Found { reader, chunks, end } = match read {
            Ok(read) => read.map_err(Ended::NotInFeed)?,
            Err(error) => {
                // The next reader begins behind what was read.
                self.look_at = now + LOOK;
                return self.note_trouble(error);
            }
        };
        if reader.is_at_end() {
            self.look_at = now + LOOK;
        }
        if chunks.is_empty() && self.sent.is_empty() && self.session.health() == Ok(Health::Taking) {
            self.note_well();
        }
        if let Some(last) = chunks.last() {
            self.read_to = last.position;
        }
        self.links.counters.seen(end);
        self.reader = Some(reader);
        self.ready.extend(chunks);
        Ok(())
    }

    /// Begins to store the place, if it is time for that: what is confirmed, or only a sign of life.
    fn store(&mut self) {
        let (confirmed, since) = (self.confirmed.place, (self.clock)().saturating_sub(self.renewed_at));
        let is_due = |claim: &Claim| match confirmed > claim.place {
            true => since >= STORING.min(self.links.hold / 3),
            false => since >= self.links.hold / 3,
        };
        if (self.clock)() >= self.store_at
            && let Some(claim) = self.claim.take_if(|claim| is_due(claim))
        {
            // What a destination has lost is sent again behind an earlier place, which is never stored.
            let place = confirmed.max(claim.place);
            self.storing = Some(advance(self.links, self.clock, claim, place));
        }
    }

    fn note_stored(&mut self, stored: Result<Stored, StoreError>) -> Result<(), Ended> {
        let (claim, sent_at, verdict) = stored.map_err(Ended::Database)?;
        match verdict {
            Ok(AdvanceVerdict::Fenced) => return Err(Ended::Fenced),
            Ok(AdvanceVerdict::Advanced) => (self.renewed_at, self.trouble) = (sent_at, None),
            Err(error) => {
                // Also after an unknown outcome, the same again is harmless.
                self.store_at = (self.clock)() + STORING;
                self.claim = Some(claim);
                return self.note_trouble(error);
            }
        }
        self.claim = Some(claim);
        Ok(())
    }

    /// Notes an error of the database. An outage is waited for while the claim lasts.
    fn note_trouble(&mut self, error: StoreError) -> Result<(), Ended> {
        if !error.is_outage() {
            return Err(Ended::Database(error));
        }
        self.trouble = Some(error);
        Ok(())
    }

    /// Stores the place of what is confirmed.
    async fn settle(&mut self) {
        if let Some(storing) = self.storing.take()
            && self.note_stored(storing.await).is_err()
        {
            return;
        }
        if let Some(claim) = self.claim.take_if(|claim| claim.place < self.confirmed.place) {
            drop(self.note_stored(advance(self.links, self.clock, claim, self.confirmed.place).await));
        }
    }
}

/// Stores that everything up to `place` is confirmed, which renews the claim.
///
/// What if we die here? The place is stored or not. What is behind it is sent again, with the same ids.
fn advance(
    links: &Links,
    clock: &Clock,
    mut claim: Claim,
    place: Place,
) -> BoxFuture<Result<Stored, StoreError>> {
    let (db, hold, sent_at) = (links.db.clone(), links.hold, clock());
    Box::pin(async move {
        let advance = move |store: &dyn Store| {
            let verdict = store.advance_outlet(&mut claim, place, hold);
            Ok((claim, sent_at, verdict))
        };
        call(&db, advance).await
    })
}

/// The result of a task, if there is one.
async fn result<T>(task: &mut Option<BoxFuture<T>>) -> T {
    match task {
        Some(task) => task.await,
        None => pending().await,
    }
}
