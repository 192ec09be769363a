//! The batches that were stored most recently, to be compared with the database later.

use std::collections::{HashSet, VecDeque};

use crate::domain::{BatchId, Epoch};

/// The most recent groups of batches that were stored together. A database that goes back in time loses its last
/// transactions, so it is enough to look for the last batch of each group.
#[derive(Default)]
pub(super) struct Stored {
    groups: VecDeque<Group>,
}

struct Group {
    last: (BatchId, Epoch),
    batches: usize,
    records: u64,
}

/// How many groups are remembered: those of half a minute, at the highest rate.
const REMEMBERED: usize = 1000;

impl Stored {
    /// Notes that these batches were stored, with `records` records in total.
    pub fn add(&mut self, batches: &[(BatchId, Epoch)], records: u64) {
        let Some(last) = batches.last() else { return };
        self.groups.push_back(Group { last: *last, batches: batches.len(), records });
        if self.groups.len() > REMEMBERED {
            self.groups.pop_front();
        }
    }

    /// The last batch of each group.
    pub fn names(&self) -> Vec<(BatchId, Epoch)> {
        self.groups.iter().map(|group| group.last).collect()
    }

    /// Forgets the groups that are lost. Returns how many batches and records they had.
    pub fn take_out(&mut self, lost: &[(BatchId, Epoch)]) -> (usize, u64) {
        let lost: HashSet<_> = lost.iter().collect();
        let (mut batches, mut records) = (0, 0);
        self.groups.retain(|group| {
            let is_lost = lost.contains(&group.last);
            if is_lost {
                batches += group.batches;
                records += group.records;
            }
            !is_lost
        });
        (batches, records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_is_remembered_for_a_while_and_said_to_be_lost_once() {
        let (mut stored, name) = (Stored::default(), |id| (BatchId(id), Epoch(1)));
        (1..=2000).for_each(|id| stored.add(&[name(10 * id), name(10 * id + 1)], 7));
        stored.add(&[], 0);
        assert_eq!(stored.names().len(), REMEMBERED);
        assert_eq!(stored.take_out(&[name(20_001), name(19_991), name(5)]), (4, 14));
        assert_eq!(stored.take_out(&[name(20_001)]), (0, 0));
        assert_eq!(stored.names().len(), REMEMBERED - 2);
    }
}
