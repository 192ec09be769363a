//! The records that wait for the next transaction. Their number and their bytes are bounded.

use std::collections::VecDeque;

use super::Reply;
use crate::actors::messages::Incoming;

/// Records in one transaction, at most.
const GROUP_RECORDS: usize = 1000;

/// Bytes of payload after which a group is full.
const GROUP_BYTES: usize = 4 << 20;

/// Records that wait, at most: what a slow disk stores in about a second.
const WAITING_RECORDS: usize = 10_000;

/// Bytes of payload that wait, at most.
const WAITING_BYTES: usize = 64 << 20;

/// Records in the order of their arrival, each with where its verdict goes.
#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<(Incoming, Reply)>,
    bytes: usize,
}

impl Queue {
    /// Adds a record at the end. Returns `false` if there is no room. A single record always has room.
    pub(super) fn push(&mut self, record: Incoming, reply: Reply) -> bool {
        let bytes = self.bytes.saturating_add(record.payload.len());
        let is_full = self.waiting.len() >= WAITING_RECORDS || bytes > WAITING_BYTES;
        if is_full && !self.waiting.is_empty() {
            return false;
        }
        self.bytes = bytes;
        self.waiting.push_back((record, reply));
        true
    }

    /// Takes out the records of the next transaction. Those whose caller has given up are left out.
    pub(super) fn group(&mut self) -> (Vec<Incoming>, Vec<Reply>) {
        let (mut records, mut replies, mut bytes) = (Vec::new(), Vec::new(), 0);
        while records.len() < GROUP_RECORDS && bytes < GROUP_BYTES {
            let Some((record, reply)) = self.waiting.pop_front() else { break };
            self.bytes -= record.payload.len();
            if !reply.is_closed() {
                bytes += record.payload.len();
                records.push(record);
                replies.push(reply);
            }
        }
        (records, replies)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::{Receiver, channel};

    use super::*;
    use crate::{actors::intake::SubmitError, domain::InsertVerdict};

    type Verdict = Receiver<Result<InsertVerdict, SubmitError>>;

    fn push(queue: &mut Queue, bytes: usize) -> Option<Verdict> {
        let (reply, verdict) = channel();
        queue.push(Incoming { external_id: None, payload: vec![0; bytes].into() }, reply).then_some(verdict)
    }

    #[test]
    fn a_group_ends_at_its_number_of_records_or_of_bytes_and_keeps_their_order() {
        let mut queue = Queue::default();
        let _callers: Vec<_> = (0..1001).map(|i| push(&mut queue, i % 7).unwrap()).collect();
        let (records, replies) = queue.group();
        assert_eq!((records.len(), replies.len()), (GROUP_RECORDS, GROUP_RECORDS));
        assert!(records.iter().enumerate().all(|(i, record)| record.payload.len() == i % 7));
        assert_eq!(queue.group().0.len(), 1);
        assert_eq!((queue.group().0.len(), queue.bytes), (0, 0));
        let _callers: Vec<_> = (0..9).map(|_| push(&mut queue, 1 << 20).unwrap()).collect();
        assert_eq!([4, 4, 1, 0], std::array::from_fn(|_| queue.group().0.len()));
    }

    #[test]
    fn a_full_queue_takes_no_more_until_a_group_has_left() {
        let mut queue = Queue::default();
        let _callers: Vec<_> = (0..WAITING_RECORDS).map(|_| push(&mut queue, 1).unwrap()).collect();
        assert!(push(&mut queue, 0).is_none());
        queue.group();
        assert!(push(&mut queue, 0).is_some());

        let mut queue = Queue::default();
        let _large = push(&mut queue, WAITING_BYTES + 1).expect("one record of any size has room");
        assert!(push(&mut queue, 0).is_none());
        assert_eq!(queue.group().0.len(), 1);
        assert!(push(&mut queue, WAITING_BYTES).is_some());
        assert!(push(&mut queue, 1).is_none());
    }

    #[test]
    fn a_record_whose_caller_has_given_up_is_left_out() {
        let mut queue = Queue::default();
        let (first, second) = (push(&mut queue, 1), push(&mut queue, 2));
        drop(first);
        assert_eq!(queue.group().0.len(), 1);
        assert_eq!(queue.bytes, 0);
        drop(second);
    }
}
