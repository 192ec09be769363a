//! Holdings: the leases of this node that are not settled yet. Each is in exactly one place.

use std::{collections::HashSet, sync::Arc};

use crate::domain::{BatchId, Epoch, Lease, NodeId, SignedBatch};

/// The name of a lease. It includes the epoch, because a reclaimed batch may be leased again while its older
/// signatures are still on their way to the fence. It includes the node, because the same epoch can come again in a
/// database that went back in time.
pub(super) type Name = (NodeId, BatchId, Epoch);

pub(super) fn name(lease: &Lease) -> Name {
    (lease.node(), lease.batch(), lease.epoch())
}

/// At most `limit` batches are in hand: being signed, done, or in the transaction that settles them. A batch that
/// is set aside is not in hand, and another batch may take its place.
#[derive(Debug)]
pub(super) struct Holdings {
    limit: usize,
    /// In the queue of the signing threads, or being signed.
    signing: HashSet<Name>,
    /// Signed, but not stored yet.
    finished: Vec<SignedBatch>,
    /// Not signed, and not released yet.
    unsigned: Vec<Name>,
    /// Being stored or released.
    settling: Vec<Name>,
    /// Refused by the schema. They stay leased for a while, so that no node signs them again and again.
    set_aside: HashSet<Name>,
}

/// What the next one or two transactions settle.
#[derive(Clone, Debug)]
pub(super) struct Done {
    /// To be stored.
    pub finished: Arc<[SignedBatch]>,
    /// To be released.
    pub unsigned: Vec<Name>,
}

/// What a node held at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    node: NodeId,
    known: HashSet<Name>,
    signing: HashSet<Name>,
}

/// How the leases of a node in the database differ from those that the node knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Findings {
    /// They do not differ.
    AsKnown,
    /// The database has so many leases of the node that the node does not know.
    Unknown(usize),
    /// The node is signing so many batches that it does not hold in the database.
    InVain(usize),
}

impl Holdings {
    /// No leases yet. With a limit of 0, the node never takes any.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            signing: HashSet::new(),
            finished: Vec::new(),
            unsigned: Vec::new(),
            settling: Vec::new(),
            set_aside: HashSet::new(),
        }
    }

    /// Whether this node leases anything at all.
    pub fn may_lease(&self) -> bool {
        self.limit > 0
    }

    /// How many batches may be leased now. A batch that was set aside and is taken up again may raise the number in
    /// hand above the limit until it is released. Then the room is 0.
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.in_hand())
    }

    /// The number of batches in hand.
    pub fn in_hand(&self) -> usize {
        self.signing.len() + self.done() + self.settling.len()
    }

    /// The number of batches that wait to be stored or released.
    pub fn done(&self) -> usize {
        self.finished.len() + self.unsigned.len()
    }

    /// Whether a transaction that settles batches is under way.
    pub fn is_settling(&self) -> bool {
        !self.settling.is_empty()
    }

    /// Whether at least half of what is in hand is done, so that signers will soon have nothing to do.
    pub fn is_mostly_done(&self) -> bool {
        2 * self.done() >= self.in_hand()
    }

    /// Notes that a leased batch is handed to a signer.
    pub fn sign(&mut self, lease: Name) {
        self.signing.insert(lease);
    }

    /// Notes that a batch is signed.
    pub fn finish(&mut self, batch: SignedBatch) {
        self.signing.remove(&name(batch.lease()));
        self.finished.push(batch);
    }

    /// Notes that a batch will not be signed here, and must be released.
    pub fn give_back(&mut self, lease: Name) {
        self.signing.remove(&lease);
        self.unsigned.push(lease);
    }

    /// Takes everything that is done, to settle it in a transaction.
    pub fn settle(&mut self) -> Done {
        let done = Done {
            finished: std::mem::take(&mut self.finished).into(),
            unsigned: std::mem::take(&mut self.unsigned),
        };
        let finished = done.finished.iter().map(|batch| name(batch.lease()));
        self.settling = finished.chain(done.unsigned.iter().copied()).collect();
        done
    }

    /// Notes that the transaction is over, whatever its result.
    pub fn settled(&mut self) {
        self.settling.clear();
    }

    /// Notes that the schema refused a batch of the last transaction.
    pub fn set_aside(&mut self, lease: Name) {
        self.set_aside.insert(lease);
    }

    /// Notes that a batch that was set aside must be released, so that the next node that leases it tries again.
    pub fn take_up(&mut self, lease: Name) {
        self.set_aside.remove(&lease);
        self.unsigned.push(lease);
    }

    /// What `node` holds now, to be compared with the answer of the database a moment later.
    pub fn snapshot(&self, node: NodeId) -> Snapshot {
        let finished = self.finished.iter().map(|batch| name(batch.lease()));
        let done = finished.chain(self.unsigned.iter().copied());
        let known = done.chain(self.settling.iter().chain(&self.signing).chain(&self.set_aside).copied());
        Snapshot { node, known: known.collect(), signing: self.signing.clone() }
    }

    /// Compares `before` with the leases that the database answered after it. Nothing was leased in between, so all
    /// leases in the database should be in `before`.
    ///
    /// A lease that the node holds but does not know would never be signed, while this node keeps it alive. A lease
    /// that the node knows but does not hold is signed in vain.
    pub fn compare(&self, before: &Snapshot, held: &[(BatchId, Epoch)]) -> Findings {
        let held: HashSet<_> = held.iter().map(|(batch, epoch)| (before.node, *batch, *epoch)).collect();
        // A batch that was finished since `before` may have been stored before the database answered.
        let is_signed_still = |lease: &&Name| lease.0 == before.node && self.signing.contains(*lease);
        match (
            before.signing.difference(&held).filter(is_signed_still).count(),
            held.difference(&before.known).count(),
        ) {
            (0, 0) => Findings::AsKnown,
            (0, unknown) => Findings::Unknown(unknown),
            (in_vain, _) => Findings::InVain(in_vain),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::{KeyId, OpenBatch, Runs, Scheme, SignatureBuf};

    pub fn named(batch: i64) -> Name {
        (NodeId(7), BatchId(batch), Epoch(1))
    }

    pub fn signed((node, id, epoch): Name) -> SignedBatch {
        let open = OpenBatch { id, epoch: Epoch(epoch.0 - 1), records: Runs::default() };
        open.lease(KeyId(1), node, Scheme::default()).signed(SignatureBuf::default()).unwrap()
    }

    fn signing(limit: usize, batches: &[i64]) -> Holdings {
        let mut holdings = Holdings::new(limit);
        batches.iter().for_each(|batch| holdings.sign(named(*batch)));
        holdings
    }

    /// Does what a group commit does when the schema refuses all of these batches.
    fn refuse(holdings: &mut Holdings, batches: &[i64]) {
        batches.iter().for_each(|batch| holdings.finish(signed(named(*batch))));
        holdings.settle();
        holdings.settled();
        batches.iter().for_each(|batch| holdings.set_aside(named(*batch)));
    }

    #[test]
    fn what_was_set_aside_comes_back_on_top_of_what_fills_its_place_and_nothing_more_is_leased() {
        let mut holdings = signing(2, &[1, 2]);
        refuse(&mut holdings, &[1, 2]);
        assert_eq!((holdings.in_hand(), holdings.room()), (0, 2), "their places may be filled");
        [3, 4].iter().for_each(|batch| holdings.sign(named(*batch)));
        [1, 2].iter().for_each(|batch| holdings.take_up(named(*batch)));
        assert_eq!((holdings.in_hand(), holdings.room()), (4, 0), "two more than the limit");
        let done = holdings.settle();
        assert_eq!((done.finished.len(), done.unsigned), (0, vec![named(1), named(2)]));
        assert_eq!(holdings.room(), 0);
        holdings.settled();
        assert_eq!((holdings.in_hand(), holdings.room()), (2, 0));
        holdings.finish(signed(named(3)));
        holdings.settle();
        holdings.settled();
        assert_eq!((holdings.in_hand(), holdings.room()), (1, 1));
    }

    #[test]
    fn a_lease_is_in_one_place_from_its_signing_to_its_settling() {
        let mut holdings = signing(4, &[1, 2, 3]);
        assert_eq!((holdings.room(), holdings.done(), holdings.is_mostly_done()), (1, 0, false));
        holdings.finish(signed(named(1)));
        holdings.give_back(named(2));
        assert_eq!((holdings.room(), holdings.done(), holdings.is_mostly_done()), (1, 2, true));
        let done = holdings.settle();
        assert_eq!((done.finished.len(), done.unsigned), (1, vec![named(2)]));
        assert!(holdings.is_settling());
        assert_eq!((holdings.room(), holdings.done(), holdings.in_hand()), (1, 0, 3));
        holdings.settled();
        assert!(!holdings.is_settling());
        assert_eq!((holdings.room(), holdings.in_hand()), (3, 1));
    }

    #[test]
    fn everything_that_is_leased_is_known_wherever_it_is() {
        let mut holdings = signing(9, &[1, 2, 3, 4, 5]);
        refuse(&mut holdings, &[5]);
        holdings.finish(signed(named(4)));
        holdings.settle();
        holdings.finish(signed(named(3)));
        holdings.give_back(named(2));
        let before = holdings.snapshot(NodeId(7));
        let held = |batches: &[i64]| batches.iter().map(|id| (BatchId(*id), Epoch(1))).collect::<Vec<_>>();
        let compare = |batches: &[i64]| holdings.compare(&before, &held(batches));
        assert_eq!(compare(&[1, 2, 3, 4, 5]), Findings::AsKnown);
        assert_eq!(compare(&[1]), Findings::AsKnown, "the others may be settled by now");
        assert_eq!(compare(&[1, 6, 8]), Findings::Unknown(2));
        assert_eq!(compare(&[2, 6]), Findings::InVain(1));
    }

    #[test]
    fn what_was_finished_since_the_database_was_asked_is_not_signed_in_vain() {
        let mut holdings = signing(9, &[1]);
        let before = holdings.snapshot(NodeId(7));
        holdings.finish(signed(named(1)));
        assert_eq!(holdings.compare(&before, &[]), Findings::AsKnown);
    }

    #[test]
    fn the_same_batch_of_another_node_is_another_lease() {
        let mut holdings = signing(9, &[1]);
        holdings.sign((NodeId(8), BatchId(2), Epoch(1)));
        let before = holdings.snapshot(NodeId(8));
        let held = [(BatchId(1), Epoch(1)), (BatchId(2), Epoch(1))];
        assert_eq!(holdings.compare(&before, &held), Findings::Unknown(1));
    }
}
