//! A node's standing: its id in the database, until when it may trust its lease, and whether it was asked to stop.
//! The actors and the signing threads share it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use super::{
    clock::Clock,
    events::{Event, Events},
    share::ShareId,
    speed::Speed,
    workload::{Ticket, Workload},
};
use crate::{domain::NodeId, store::StoreError};

/// No node has this id.
const NOBODY: i64 = 0;

/// The database answers. No outage begins at this time.
const HERE: u64 = u64::MAX;

/// How far a stop has come. The level never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum StopLevel {
    /// No stop was requested.
    Running,
    /// No more batches are leased or begun. Batches that are being signed are finished.
    Finishing,
    /// Batches that are being signed are dropped at the next check of the permit, and given back.
    Interrupting,
}

/// See the module's documentation.
pub struct Standing {
    clock: Clock,
    node: AtomicI64,
    trusted_until: AtomicU64,
    stop: AtomicU8,
    /// Since when the database could not be reached, in nanoseconds; [`HERE`] while it answers.
    away_since: AtomicU64,
    outages: AtomicU64,
    workload: Arc<Workload>,
    events: Events,
}

/// Why a batch was not completely signed although nothing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Interrupted {
    /// The service stops.
    #[error("the service is stopping")]
    Stopping,
    /// The node can no longer trust its leases.
    #[error("the node's lease ran out or was taken away")]
    LeaseOver,
}

impl Standing {
    /// The standing of a process that is not registered yet.
    pub fn new(clock: Clock) -> Arc<Self> {
        Self::telling(clock, Events::default())
    }

    /// The same, with the memory of the run's events.
    pub fn telling(clock: Clock, events: Events) -> Arc<Self> {
        Arc::new(Self {
            clock,
            node: AtomicI64::new(NOBODY),
            trusted_until: AtomicU64::new(0),
            stop: AtomicU8::new(StopLevel::Running as u8),
            away_since: AtomicU64::new(HERE),
            outages: AtomicU64::new(0),
            workload: Arc::default(),
            events,
        })
    }

    /// The current time. Callers must read it *before* they send a renewal.
    pub fn now(&self) -> Duration {
        (self.clock)()
    }

    /// Notes that a renewal, sent at `sent_at`, was confirmed. The node trusts its lease for half the time to live.
    /// The other half is a margin for differences between clocks, and for delays of the network.
    pub fn renewed(&self, node: NodeId, sent_at: Duration, ttl: Duration) {
        self.trusted_until.store(nanos(sent_at + ttl / 2), SeqCst);
        self.node.store(node.0, SeqCst);
    }

    /// Notes that the node was reclaimed or removed. All signing under its leases stops at once.
    pub fn lost(&self) {
        self.node.store(NOBODY, SeqCst);
    }

    /// The node, while its lease can be trusted.
    pub fn node(&self) -> Option<NodeId> {
        self.registered().filter(|_| nanos(self.now()) < self.trusted_until.load(SeqCst))
    }

    /// The node, whether or not its lease can be trusted.
    pub fn registered(&self) -> Option<NodeId> {
        Some(self.node.load(SeqCst)).filter(|node| *node != NOBODY).map(NodeId)
    }

    /// Goes forward to `level`.
    pub fn stop(&self, level: StopLevel) {
        self.stop.fetch_max(level as u8, SeqCst);
    }

    /// Whether new batches may be leased.
    pub fn is_running(&self) -> bool {
        self.stop.load(SeqCst) == StopLevel::Running as u8
    }

    /// Whether the stop no longer waits for anything.
    pub fn is_interrupting(&self) -> bool {
        self.stop.load(SeqCst) == StopLevel::Interrupting as u8
    }

    /// Notes the result of a database operation.
    pub fn heard<T>(&self, result: &Result<T, StoreError>) {
        match result {
            Ok(_) => {
                if self.away_since.swap(HERE, SeqCst) != HERE {
                    self.tell(Event::DatabaseBack);
                }
            }
            Err(StoreError::Unavailable(_) | StoreError::UnknownOutcome(_)) => {
                if self.away_since.compare_exchange(HERE, nanos(self.now()), SeqCst, SeqCst).is_ok() {
                    self.tell(Event::DatabaseAway);
                }
                self.outages.fetch_add(1, SeqCst);
            }
            Err(_) => {}
        }
    }

    /// Notes an event of the run.
    pub fn tell(&self, event: Event) {
        self.events.tell(event);
    }

    /// Whether the database could not be reached at the last operation.
    pub fn is_away(&self) -> bool {
        self.away_for().is_some()
    }

    /// For how long the database could not be reached; `None` while it answers.
    pub fn away_for(&self) -> Option<Duration> {
        let since = Some(self.away_since.load(SeqCst)).filter(|since| *since != HERE)?;
        Some(self.now().saturating_sub(Duration::from_nanos(since)))
    }

    /// How often the database could not be reached so far.
    pub fn outages(&self) -> u64 {
        self.outages.load(SeqCst)
    }

    /// What is being signed.
    pub fn workload(&self) -> &Workload {
        &self.workload
    }

    /// A permit that a thread of `share` checks while it signs under a lease of `node`.
    pub fn permit(self: &Arc<Self>, node: NodeId, share: ShareId) -> Permit {
        Permit { standing: Arc::clone(self), node, share }
    }
}

/// Permission to sign under a lease of one node. Signing threads must check it again and again.
pub struct Permit {
    standing: Arc<Standing>,
    node: NodeId,
    share: ShareId,
}

impl Permit {
    /// Whether a batch may be begun.
    pub fn may_start(&self) -> Result<(), Interrupted> {
        self.check(StopLevel::Running)
    }

    /// Whether a batch that was begun may go on.
    pub fn may_continue(&self) -> Result<(), Interrupted> {
        self.check(StopLevel::Finishing)
    }

    /// The current time.
    pub(super) fn now(&self) -> Duration {
        self.standing.now()
    }

    /// Notes that a batch of `records` records is begun, which has waited for a thread since `queued`.
    pub(super) fn begin(&self, records: usize, queued: Duration) -> Ticket {
        self.standing.workload.begin(self.share, records, queued, self.standing.now())
    }

    /// Notes that `records` of its records are signed. Returns how long each of the last ones took.
    pub(super) fn note(&self, ticket: &Ticket, records: usize) -> Option<Duration> {
        ticket.done(records, self.standing.now())
    }

    /// The share whose threads sign.
    pub(super) fn share(&self) -> ShareId {
        self.share
    }

    /// How fast this share signs; `None` while this is not known.
    pub(super) fn speed(&self) -> Option<Speed> {
        self.standing.workload.speed(self.share)
    }

    fn check(&self, at_most: StopLevel) -> Result<(), Interrupted> {
        if self.standing.stop.load(SeqCst) > at_most as u8 {
            Err(Interrupted::Stopping)
        } else if self.standing.node() != Some(self.node) {
            Err(Interrupted::LeaseOver)
        } else {
            Ok(())
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(30);

    fn standing() -> (Arc<Standing>, Arc<AtomicU64>) {
        let seconds = Arc::new(AtomicU64::new(100));
        let clock = Arc::clone(&seconds);
        (Standing::new(Arc::new(move || Duration::from_secs(clock.load(SeqCst)))), seconds)
    }

    #[test]
    fn a_lease_is_trusted_for_half_its_time_from_before_it_was_sent() {
        let (standing, seconds) = standing();
        assert_eq!(standing.node(), None);
        standing.renewed(NodeId(7), Duration::from_secs(95), TTL);
        seconds.store(109, SeqCst);
        assert_eq!(standing.node(), Some(NodeId(7)));
        seconds.store(110, SeqCst);
        assert_eq!(standing.node(), None, "95 + 30 / 2 has come");
        assert_eq!(standing.registered(), Some(NodeId(7)));
    }

    #[test]
    fn a_permit_ends_with_the_node_that_it_was_given_for() {
        let (standing, _) = standing();
        standing.renewed(NodeId(1), Duration::from_secs(100), TTL);
        let permit = standing.permit(NodeId(1), ShareId::SIGNING);
        assert_eq!(permit.may_start(), Ok(()));
        standing.lost();
        assert_eq!(permit.may_continue(), Err(Interrupted::LeaseOver));
        standing.renewed(NodeId(2), Duration::from_secs(100), TTL);
        assert_eq!(permit.may_continue(), Err(Interrupted::LeaseOver), "the old leases do not come back");
    }

    #[test]
    fn a_stop_lets_begun_batches_finish_until_it_interrupts_them() {
        let (standing, _) = standing();
        standing.renewed(NodeId(1), Duration::from_secs(100), TTL);
        let permit = standing.permit(NodeId(1), ShareId::SIGNING);
        standing.stop(StopLevel::Finishing);
        assert_eq!(permit.may_start(), Err(Interrupted::Stopping));
        assert_eq!(permit.may_continue(), Ok(()));
        standing.stop(StopLevel::Interrupting);
        standing.stop(StopLevel::Running);
        assert_eq!(permit.may_continue(), Err(Interrupted::Stopping), "a stop does not go back");
    }
}
