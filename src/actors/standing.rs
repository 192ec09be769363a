//! A node's standing: who it is in the database, until when it may believe that, and whether it
//! has been told to stop. Shared between the actors and the signing threads.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use super::{
    clock::Clock,
    workload::{Ticket, Workload},
};
use crate::{domain::NodeId, store::StoreError};

/// No node has this id.
const NOBODY: i64 = 0;

/// How far a stop has come; it only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum StopLevel {
    /// At work.
    Running,
    /// No batch is leased or started any more; those being signed are finished.
    Finishing,
    /// Batches being signed are dropped at the next chance and given back.
    Interrupting,
}

/// See the module's documentation.
pub struct Standing {
    clock: Clock,
    node: AtomicI64,
    trusted_until: AtomicU64,
    stop: AtomicU8,
    is_away: AtomicBool,
    outages: AtomicU64,
    workload: Arc<Workload>,
}

/// Why a batch was not signed to its end, though nothing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Interrupted {
    /// The service stops.
    #[error("the service is stopping")]
    Stopping,
    /// The node cannot be sure any more that its leases stand.
    #[error("the node's lease ran out or was taken away")]
    LeaseOver,
}

impl Standing {
    /// Nobody yet.
    pub fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            node: AtomicI64::new(NOBODY),
            trusted_until: AtomicU64::new(0),
            stop: AtomicU8::new(StopLevel::Running as u8),
            is_away: AtomicBool::new(false),
            outages: AtomicU64::new(0),
            workload: Arc::default(),
        })
    }

    /// The time now, to be taken *before* a renewal is sent.
    pub fn now(&self) -> Duration {
        (self.clock)()
    }

    /// A renewal, sent at `sent_at`, was confirmed: the node trusts it for half the time to live.
    /// The other half is for what a clock, a network and a reclaiming node may disagree about.
    pub fn renewed(&self, node: NodeId, sent_at: Duration, ttl: Duration) {
        self.trusted_until.store(nanos(sent_at + ttl / 2), SeqCst);
        self.node.store(node.0, SeqCst);
    }

    /// The node was reclaimed: whoever is signing for it stops at once.
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

    /// Whether the stop does not wait for anything any more.
    pub fn is_interrupting(&self) -> bool {
        self.stop.load(SeqCst) == StopLevel::Interrupting as u8
    }

    /// The database did or did not do what it was asked for.
    pub fn heard<T>(&self, result: &Result<T, StoreError>) {
        match result {
            Ok(_) => self.is_away.store(false, SeqCst),
            Err(StoreError::Unavailable(_) | StoreError::UnknownOutcome(_)) => {
                self.is_away.store(true, SeqCst);
                self.outages.fetch_add(1, SeqCst);
            }
            Err(_) => {}
        }
    }

    /// Whether the database could not be reached when it was last asked for something.
    pub fn is_away(&self) -> bool {
        self.is_away.load(SeqCst)
    }

    /// How often the database could not be reached so far.
    pub fn outages(&self) -> u64 {
        self.outages.load(SeqCst)
    }

    /// What is being signed.
    pub fn workload(&self) -> &Workload {
        &self.workload
    }

    /// What a signing thread asks while it signs under a lease of `node`.
    pub fn permit(self: &Arc<Self>, node: NodeId) -> Permit {
        Permit { standing: Arc::clone(self), node }
    }
}

/// Leave to sign under a lease of one node, to be asked for again and again.
pub struct Permit {
    standing: Arc<Standing>,
    node: NodeId,
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

    /// A batch of so many records is begun.
    pub(super) fn begin(&self, records: usize) -> Ticket {
        self.standing.workload.begin(records, self.standing.now())
    }

    /// So many of its records are signed.
    pub(super) fn note(&self, ticket: &Ticket, records: usize) {
        ticket.done(records, self.standing.now());
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
        let permit = standing.permit(NodeId(1));
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
        let permit = standing.permit(NodeId(1));
        standing.stop(StopLevel::Finishing);
        assert_eq!(permit.may_start(), Err(Interrupted::Stopping));
        assert_eq!(permit.may_continue(), Ok(()));
        standing.stop(StopLevel::Interrupting);
        standing.stop(StopLevel::Running);
        assert_eq!(permit.may_continue(), Err(Interrupted::Stopping), "a stop does not go back");
    }
}
