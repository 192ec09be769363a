//! The loop of a publisher: claim the outlet, connect, publish, and all of it again.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};

use super::{
    broker::{Publisher, Session},
    counters::State,
    links::{Links, what},
    options::From,
    transmission::{Ended, Left, Transmission},
};
use crate::{
    actors::{
        call::call,
        clock::{self, Clock},
        outage::Outage,
    },
    domain::{Epoch, FeedId, Place, Position},
    formats::feed::Reader,
    store::{AdvanceVerdict, Claim, ClaimVerdict, FeedEnd, StoreError},
};

/// How often to try to take over from another node.
const STANDBY: Duration = Duration::from_secs(1);

/// How often to look whether somebody has decided where to go on.
const STOPPED: Duration = Duration::from_secs(5);

/// How long to wait for the registration of this node.
const REGISTERING: Duration = Duration::from_millis(50);

/// How long giving the outlet back may take.
const RELEASING: Duration = Duration::from_secs(1);

/// A publisher to one destination.
pub struct Service<P> {
    publisher: P,
    name: Arc<str>,
    from: From,
    /// Where the outlet begins if it is new, once that is known.
    start: Option<Place>,
    links: Links,
    clock: Clock,
    outage: Outage,
    reached: Option<Reached>,
}

/// Where a position comes from that the feed does not have.
#[derive(Clone, Copy)]
enum Stand {
    Database,
    Destination,
}

/// How far the last session of this process came.
struct Reached {
    /// The claim that it had.
    epoch: Epoch,
    /// The place that was stored last.
    place: Place,
    /// Up to where everything is confirmed: inside of a batch, too, which the place cannot say.
    confirmed: Position,
}

/// A claim, when it was made by this machine's clock, and the feed.
type Claimed = (Claim, Duration, FeedId);

impl<P: Publisher> Service<P> {
    /// A publisher that has not begun.
    pub fn new(publisher: P, from: From, links: Links) -> Self {
        let name = publisher.destination().into();
        let (clock, outage) = (clock::boottime(), Outage::default());
        Self { publisher, name, from, start: None, links, clock, outage, reached: None }
    }

    /// Publishes until a stop is requested. Then it waits for the confirms of what was sent, and gives the outlet back.
    pub async fn run(mut self) {
        while let Some(claimed) = self.claimed().await {
            match self.publish(claimed).await {
                Ended::Stopped => break,
                Ended::Fenced => {
                    log::warn!("cannot {} any more: another node may do so", what(&self.links));
                    continue;
                }
                Ended::NotInFeed(refusal) => self.stopped(&refusal.to_string(), Stand::Database),
                Ended::Ahead(position) => {
                    let what_is_wrong =
                        format!("the feed does not have position {position}, which is published");
                    self.stopped(&what_is_wrong, Stand::Destination);
                }
                Ended::Broker(error) => self.failed(State::Disconnected, error.to_string()),
                Ended::Database(error) => self.failed(State::DatabaseAway, error.to_string()),
            }
            if !self.outage.wait(&self.links.stop).await {
                break;
            }
        }
        self.links.counters.enter(State::Disconnected);
        log::info!("the publisher to {} has ended", self.name);
    }

    /// Waits until this node holds the outlet. Returns `None` if a stop was requested.
    async fn claimed(&mut self) -> Option<Claimed> {
        let stop = self.links.stop.clone();
        loop {
            let attempt = tokio::select! {
                attempt = self.claim() => attempt,
                () = stop.requested(1) => return None,
            };
            let pause = match attempt {
                Ok(None) => REGISTERING,
                Ok(Some((ClaimVerdict::Claimed(claim), at, feed))) => return Some((claim, at, feed)),
                Ok(Some((ClaimVerdict::Held, ..))) => {
                    if self.links.counters.state() != State::Standby {
                        log::info!("another node publishes to {}", self.name);
                    }
                    self.links.counters.enter(State::Standby);
                    STANDBY
                }
                Ok(Some((ClaimVerdict::NotInFeed(position), _, feed))) => {
                    let other = if position.feed == feed { "ahead of this feed" } else { "of another feed" };
                    self.stopped(&format!("position {position} is {other}"), Stand::Database);
                    STOPPED
                }
                Err(error) => {
                    self.failed(State::DatabaseAway, error.to_string());
                    self.outage.pause()
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.requested(1) => return None,
            }
        }
    }

    /// Tries to claim the outlet. Returns `None` while this process is not a node.
    async fn claim(&mut self) -> Result<Option<(ClaimVerdict, Duration, FeedId)>, StoreError> {
        let Some(node) = (self.links.node)() else { return Ok(None) };
        let (name, hold, from, start) = (Arc::clone(&self.name), self.links.hold, self.from, self.start);
        let at = (self.clock)();
        let (FeedEnd { feed, last }, start, verdict) = call(&self.links.db, move |store| {
            let end = store.sequence()?;
            let start = start.unwrap_or(match from {
                From::Start => Place(0),
                From::Now => end.last,
            });
            let verdict = store.claim_outlet(&name, node, hold, start)?;
            Ok((end, start, verdict))
        })
        .await?;
        self.start = Some(start);
        // So that the lag is known while there is no way to the broker.
        self.links.counters.seen(last);
        Ok(Some((verdict, at, feed)))
    }

    /// Connects, and publishes as long as that goes well.
    async fn publish(&mut self, (mut claim, at, feed): Claimed) -> Ended {
        let stop = self.links.stop.clone();
        let connected = tokio::select! {
            connected = self.publisher.connect() => connected,
            () = stop.requested(1) => {
                self.release(claim).await;
                return Ended::Stopped;
            }
        };
        let session = match connected {
            Ok(session) => session,
            Err(error) => {
                // Another node may have a way to the broker.
                self.release(claim).await;
                return Ended::Broker(error);
            }
        };
        self.links.counters.connected();
        let (links, clock) = (&self.links, &self.clock);
        // Connecting may have taken longer than the claim lasts.
        let (mut renewed_at, hold) = (clock(), links.hold);
        if renewed_at.saturating_sub(at) < hold / 3 {
            renewed_at = at;
        } else {
            let place = claim.place;
            let renewed = call(&links.db, move |store| {
                let verdict = store.advance_outlet(&mut claim, place, hold)?;
                Ok((claim, verdict))
            });
            match renewed.await {
                Ok((renewed, AdvanceVerdict::Advanced)) => claim = renewed,
                Ok((_, AdvanceVerdict::Fenced)) => return Ended::Fenced,
                Err(error) => return Ended::Database(error),
            }
        }
        let from = match self.from(&session, &claim, feed).await {
            Ok(from) => from,
            Err(ended) => {
                self.release(claim).await;
                return ended;
            }
        };
        log::info!("publishing to {} behind position {from}", self.name);
        let transmission =
            Transmission::new(links, clock, &mut self.outage, session, (claim, renewed_at), from);
        let Left { ended, claim, confirmed } = transmission.run().await;
        if let Some(claim) = claim {
            self.reached = Some(Reached { epoch: claim.epoch, place: claim.place, confirmed });
            if !matches!(ended, Ended::Fenced) {
                self.release(claim).await;
            }
        }
        ended
    }

    /// Where a session begins. A destination that shows its last message decides that: what it has is not sent again, and what
    /// it has lost is. Otherwise the session begins behind what is known to be confirmed, which may be more than is stored,
    /// unless a person has reset the outlet in the meantime.
    async fn from(&self, session: &P::Session, claim: &Claim, feed: FeedId) -> Result<Position, Ended> {
        let stored = Position::behind(feed, claim.place);
        let known = match self.reached {
            Some(Reached { epoch, place, confirmed })
                if !claim.is_reset_since(epoch)
                    && stored.place >= place
                    && confirmed.feed == stored.feed
                    && confirmed.place >= stored.place =>
            {
                confirmed
            }
            _ => stored,
        };
        let Some(arrived) = session.arrived().filter(|arrived| arrived.feed == stored.feed) else {
            return Ok(known);
        };
        let is_there = call(&self.links.reads, move |store| Reader::begin(store, Some(arrived))).await;
        if is_there.map_err(Ended::Database)?.is_err() {
            return Err(Ended::Ahead(arrived));
        }
        if (arrived.place, arrived.records) < (known.place, known.records) {
            log::warn!(
                "{} has lost what it had confirmed behind position {arrived}: it is sent again",
                self.name
            );
        }
        Ok(arrived)
    }

    /// Gives the outlet back, so that another node can take it at once.
    async fn release(&self, claim: Claim) {
        let release = call(&self.links.db, move |store| store.release_outlet(claim));
        if !matches!(timeout(RELEASING, release).await, Ok(Ok(()))) {
            log::debug!("{} stays held until the time is over", self.name);
        }
    }

    fn failed(&mut self, state: State, problem: String) {
        self.outage.note(&what(&self.links), &Err::<(), _>(&problem));
        self.links.counters.fail(state, problem);
    }

    /// The position is not in the feed. It is never set to another one without somebody who knows what was lost.
    fn stopped(&mut self, what_is_wrong: &str, stand: Stand) {
        let mend = match stand {
            Stand::Database => {
                format!("a person says where to go on: signwave outlets reset '{}' (see --help)", self.name)
            }
            Stand::Destination => {
                "the destination's messages are deleted, or another destination is chosen".to_owned()
            }
        };
        let problem = format!(
            "{what_is_wrong}: the database was restored or replaced. Nothing is published until {mend}"
        );
        if self.links.counters.state() != State::Stopped {
            log::error!("cannot {}: {problem}", what(&self.links));
        }
        (self.start, self.reached) = (None, None);
        self.links.counters.fail(State::Stopped, problem);
    }
}
