//! Holdings: the leases of this node that are not settled yet. Each is in exactly one place.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use crate::{
    actors::share::ShareId,
    domain::{BatchId, Epoch, Lease, NodeId, SignedBatch},
};

/// The name of a lease. It includes the epoch, because a reclaimed batch may be leased again while its older
/// signatures are still on their way to the fence. It includes the node, because the same epoch can come again in a
/// database that went back in time.
pub(super) type Name = (NodeId, BatchId, Epoch);

pub(super) fn name(lease: &Lease) -> Name {
    (lease.node(), lease.batch(), lease.epoch())
}

/// The batches in hand are being signed, done, or in the transaction that settles them. A batch that is set aside is
/// not in hand, and another batch may take its place.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    /// Whose threads sign each of the batches below.
    shares: HashMap<Name, ShareId>,
    /// How many they are for each share. There may be hundreds of batches, so they are not counted each time.
    counts: BTreeMap<ShareId, Count>,
    /// In the queue of the threads of its share, or being signed.
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

/// How many batches of a share are in hand, and how many of them wait to be stored or released.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    in_hand: usize,
    done: usize,
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

    /// The number of batches of a share in hand.
    pub fn in_hand_of(&self, share: ShareId) -> usize {
        self.counts.get(&share).map_or(0, |count| count.in_hand)
    }

    /// Whether at least half of what a share has in hand is done, so that its threads will soon have nothing to do. A
    /// share does not wait for another to come so far.
    pub fn is_mostly_done(&self) -> bool {
        self.counts.values().any(|count| count.done > 0 && 2 * count.done >= count.in_hand)
    }

    /// Whether nothing is in hand, or only batches that custodians are signing outside this process, which may take
    /// however long.
    pub fn only_waits(&self) -> bool {
        let waits = |lease: &Name| self.shares.get(lease).is_some_and(|share| share.waits());
        self.done() == 0 && !self.is_settling() && self.signing.iter().all(waits)
    }

    /// Notes that a leased batch is handed to a signer of `share`.
    pub fn sign(&mut self, lease: Name, share: ShareId) {
        self.take_in(lease, share);
        self.signing.insert(lease);
    }

    fn take_in(&mut self, lease: Name, share: ShareId) {
        self.shares.insert(lease, share);
        self.counts.entry(share).or_default().in_hand += 1;
    }

    /// Notes that a batch is signed.
    pub fn finish(&mut self, batch: SignedBatch) {
        self.is_done(name(batch.lease()));
        self.finished.push(batch);
    }

    /// Notes that a batch will not be signed here, and must be released.
    pub fn give_back(&mut self, lease: Name) {
        self.is_done(lease);
        self.unsigned.push(lease);
    }

    fn is_done(&mut self, lease: Name) {
        self.signing.remove(&lease);
        if let Some(count) = self.shares.get(&lease).and_then(|share| self.counts.get_mut(share)) {
            count.done += 1;
        }
    }

    /// Takes everything that is done, to settle it in a transaction.
    pub fn settle(&mut self) -> Done {
        let done = Done {
            finished: std::mem::take(&mut self.finished).into(),
            unsigned: std::mem::take(&mut self.unsigned),
        };
        let finished = done.finished.iter().map(|batch| name(batch.lease()));
        self.settling = finished.chain(done.unsigned.iter().copied()).collect();
        self.counts.values_mut().for_each(|count| count.done = 0);
        done
    }

    /// Notes that the transaction is over, whatever its result. Returns the shares whose batches it settled.
    pub fn settled(&mut self) -> HashSet<ShareId> {
        let shares = self.settling.drain(..).filter_map(|lease| self.shares.remove(&lease));
        let settled = |share: ShareId| {
            self.counts.entry(share).or_default().in_hand -= 1;
            share
        };
        shares.map(settled).collect()
    }

    /// Notes that the schema refused a batch of the last transaction.
    pub fn set_aside(&mut self, lease: Name) {
        self.set_aside.insert(lease);
    }

    /// Notes that a batch that was set aside must be released, so that the next node that leases it tries again. It
    /// counts as one of the signing threads, because no thread signs it.
    pub fn take_up(&mut self, lease: Name) {
        self.set_aside.remove(&lease);
        self.take_in(lease, ShareId::SIGNING);
        self.is_done(lease);
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
    use crate::domain::{Contents, KeyId, OpenBatch, Runs, Scheme, SignatureBuf};

    pub fn named(batch: i64) -> Name {
        (NodeId(7), BatchId(batch), Epoch(1))
    }

    pub fn signed((node, id, epoch): Name) -> SignedBatch {
        let open = OpenBatch { id, epoch: Epoch(epoch.0 - 1), records: Runs::default() };
        open.lease(KeyId(1), node, Scheme::default())
            .signed(&Contents::default(), SignatureBuf::default())
            .unwrap()
    }

    fn signing(batches: &[i64]) -> Holdings {
        let mut holdings = Holdings::default();
        batches.iter().for_each(|batch| holdings.sign(named(*batch), ShareId::SIGNING));
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
    fn what_was_set_aside_comes_back_on_top_of_what_fills_its_place() {
        let mut holdings = signing(&[1, 2]);
        refuse(&mut holdings, &[1, 2]);
        assert_eq!(holdings.in_hand(), 0, "their places may be filled");
        [3, 4].iter().for_each(|batch| holdings.sign(named(*batch), ShareId::SIGNING));
        [1, 2].iter().for_each(|batch| holdings.take_up(named(*batch)));
        assert_eq!([holdings.in_hand(), holdings.in_hand_of(ShareId::SIGNING)], [4; 2]);
        let done = holdings.settle();
        assert_eq!((done.finished.len(), done.unsigned), (0, vec![named(1), named(2)]));
        assert_eq!(holdings.in_hand(), 4);
        holdings.settled();
        assert_eq!(holdings.in_hand(), 2);
        holdings.finish(signed(named(3)));
        holdings.settle();
        holdings.settled();
        assert_eq!([holdings.in_hand(), holdings.in_hand_of(ShareId::SIGNING)], [1; 2]);
    }

    #[test]
    fn a_lease_is_in_one_place_from_its_signing_to_its_settling() {
        let mut holdings = signing(&[1, 2, 3]);
        assert_eq!((holdings.in_hand(), holdings.done(), holdings.is_mostly_done()), (3, 0, false));
        holdings.finish(signed(named(1)));
        holdings.give_back(named(2));
        assert_eq!((holdings.in_hand(), holdings.done(), holdings.is_mostly_done()), (3, 2, true));
        let done = holdings.settle();
        assert_eq!((done.finished.len(), done.unsigned), (1, vec![named(2)]));
        assert!(holdings.is_settling());
        assert_eq!((holdings.done(), holdings.in_hand()), (0, 3));
        assert_eq!(holdings.settled(), HashSet::from([ShareId::SIGNING]));
        assert!(!holdings.is_settling());
        assert_eq!(holdings.in_hand(), 1);
    }

    #[test]
    fn everything_that_is_leased_is_known_wherever_it_is() {
        let mut holdings = signing(&[1, 2, 3, 4, 5]);
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
        let mut holdings = signing(&[1]);
        let before = holdings.snapshot(NodeId(7));
        holdings.finish(signed(named(1)));
        assert_eq!(holdings.compare(&before, &[]), Findings::AsKnown);
    }

    #[test]
    fn the_same_batch_of_another_node_is_another_lease() {
        let mut holdings = signing(&[1]);
        holdings.sign((NodeId(8), BatchId(2), Epoch(1)), ShareId::SIGNING);
        let before = holdings.snapshot(NodeId(8));
        let held = [(BatchId(1), Epoch(1)), (BatchId(2), Epoch(1))];
        assert_eq!(holdings.compare(&before, &held), Findings::Unknown(1));
    }

    #[test]
    fn what_one_share_has_in_hand_does_not_count_for_another() {
        let mut holdings = signing(&[1, 2, 3]);
        let [threads, waiting] = ShareId::first(2).collect::<Vec<_>>()[..] else { unreachable!() };
        (4..9).for_each(|batch| holdings.sign(named(batch), waiting));
        assert_eq!([threads, waiting].map(|share| holdings.in_hand_of(share)), [3, 5]);
        assert!(!holdings.only_waits());
        holdings.finish(signed(named(1)));
        assert!(!holdings.is_mostly_done());
        holdings.finish(signed(named(2)));
        assert!(holdings.is_mostly_done(), "two of three, whatever the other share does");
        holdings.give_back(named(3));
        holdings.settle();
        assert_eq!([threads, waiting].map(|share| holdings.in_hand_of(share)), [3, 5]);
        assert!(!holdings.only_waits(), "they are being stored");
        assert_eq!(holdings.settled(), HashSet::from([threads]));
        assert!(holdings.only_waits());
        assert_eq!([threads, waiting].map(|share| holdings.in_hand_of(share)), [0, 5]);
    }
}
