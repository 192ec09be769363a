//! The fence (promise P4): a batch is stored only while the lease under which it was signed stands.

use std::collections::HashMap;

use super::{BatchId, BatchState, CommitVerdict, Epoch, Lease, NodeId, Outcome, SignedBatch};

/// Who holds a batch, as its row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The state of the batch.
    pub state: BatchState,
    /// Its lease number.
    pub epoch: Epoch,
    /// The node that holds it, if any.
    pub node: Option<NodeId>,
}

impl Holding {
    /// The holding of a batch that does not exist, in a database that went back in time. Such a batch is treated as
    /// if it had never been leased.
    pub const NOT_THERE: Self = Self { state: BatchState::Open, epoch: Epoch(0), node: None };

    /// Whether `lease` stands: the batch still has the state, the epoch and the node of the lease.
    fn is_under(self, lease: &Lease) -> bool {
        self == Self { state: BatchState::Leased, epoch: lease.epoch(), node: Some(lease.node()) }
    }
}

/// Judges batches in the order in which they were sent, by the state `found` of each in the transaction that is to
/// store them. A batch that was not found is [`Holding::NOT_THERE`]. Returns a verdict for each batch, and the
/// batches that must be stored now. If a batch was sent twice, its second copy is fenced, because the batch is
/// signed by then.
pub fn fence(
    sent: &[SignedBatch],
    mut found: HashMap<BatchId, Holding>,
) -> (Vec<CommitVerdict>, Vec<&SignedBatch>) {
    let mut standing = Vec::with_capacity(sent.len());
    let judge = |signed| {
        let lease = SignedBatch::lease(signed);
        let now = found.entry(lease.batch()).or_insert(Holding::NOT_THERE);
        let Holding { state, epoch, node } = *now;
        if !now.is_under(lease) {
            return CommitVerdict::Fenced { state, epoch, node };
        }
        *now = Holding { state: BatchState::Signed, epoch, node: None };
        standing.push(signed);
        CommitVerdict::Committed
    };
    let verdicts = sent.iter().map(judge).collect();
    (verdicts, standing)
}

/// Judges commits whose reply was lost, in the order in which they were sent, by the state `found` of each batch
/// afterwards.
pub fn outcomes(sent: &[(BatchId, Epoch)], found: &HashMap<BatchId, Holding>) -> Vec<Outcome> {
    let outcome = |(batch, sent): &(BatchId, Epoch)| {
        let now = found.get(batch).unwrap_or(&Holding::NOT_THERE);
        Outcome::of(*sent, now.state, now.epoch)
    };
    sent.iter().map(outcome).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Contents, Digest, DigestAlgorithm, KeyId, OpenBatch, RecordId, Scheme, SignatureBuf,
    };

    const NODE: NodeId = NodeId(7);

    /// A batch that [`NODE`] signed under the lease with number `epoch`.
    fn signed(batch: i64, epoch: i64) -> SignedBatch {
        let records = [RecordId(batch)].into_iter().collect();
        let open = OpenBatch { id: BatchId(batch), epoch: Epoch(epoch - 1), records };
        let mut signatures = SignatureBuf::with_capacity(1, 1);
        signatures.push_zeroed();
        let mut contents = Contents::default();
        contents.push(Digest::new(DigestAlgorithm::Sha256, &[0; 32]).unwrap(), None);
        open.lease(KeyId(1), NODE, Scheme::Rs256).signed(&contents, signatures).unwrap()
    }

    fn leased(epoch: i64, node: NodeId) -> Holding {
        Holding { state: BatchState::Leased, epoch: Epoch(epoch), node: Some(node) }
    }

    fn verdicts(sent: &[SignedBatch], found: impl IntoIterator<Item = (i64, Holding)>) -> Vec<CommitVerdict> {
        let found = found.into_iter().map(|(batch, holding)| (BatchId(batch), holding)).collect();
        let (verdicts, standing) = fence(sent, found);
        let committed =
            sent.iter().zip(&verdicts).filter(|(_, verdict)| **verdict == CommitVerdict::Committed);
        assert!(
            committed
                .map(|(batch, _)| std::ptr::from_ref(batch))
                .eq(standing.into_iter().map(std::ptr::from_ref))
        );
        verdicts
    }

    fn fenced(Holding { state, epoch, node }: Holding) -> CommitVerdict {
        CommitVerdict::Fenced { state, epoch, node }
    }

    #[test]
    fn only_the_lease_as_it_was_given_lets_a_batch_through() {
        assert_eq!(verdicts(&[signed(1, 3)], [(1, leased(3, NODE))]), [CommitVerdict::Committed]);
        let others = [
            leased(2, NODE),
            leased(4, NODE),
            leased(3, NodeId(8)),
            Holding { node: None, ..leased(3, NODE) },
        ];
        let states = [BatchState::Open, BatchState::Signed].map(|state| Holding { state, ..leased(3, NODE) });
        for found in others.into_iter().chain(states) {
            assert_eq!(verdicts(&[signed(1, 3)], [(1, found)]), [fenced(found)]);
        }
    }

    #[test]
    fn each_batch_is_judged_by_its_own_row() {
        let sent = [signed(1, 3), signed(2, 1), signed(3, 5), signed(4, 1)];
        let found = [(3, leased(5, NODE)), (1, leased(4, NODE)), (2, leased(1, NODE))];
        let expected = [
            fenced(leased(4, NODE)),
            CommitVerdict::Committed,
            CommitVerdict::Committed,
            fenced(Holding::NOT_THERE),
        ];
        assert_eq!(verdicts(&sent, found), expected);
    }

    #[test]
    fn a_batch_that_comes_twice_goes_through_once() {
        let sent = [signed(1, 2), signed(1, 3), signed(1, 3)];
        let after = Holding { state: BatchState::Signed, epoch: Epoch(3), node: None };
        let expected = [fenced(leased(3, NODE)), CommitVerdict::Committed, fenced(after)];
        assert_eq!(verdicts(&sent, [(1, leased(3, NODE))]), expected);
    }
}
