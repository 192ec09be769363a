//! Which records are in some batch.

use std::collections::BTreeMap;

use crate::domain::RecordId;

/// The record ids seen so far, as runs. Usually there is one run.
#[derive(Default)]
pub(super) struct Covered(BTreeMap<i64, i64>);

impl Covered {
    /// Adds a run. Returns the first of its records that had been added before.
    pub(super) fn add(&mut self, first: RecordId, last: RecordId) -> Option<RecordId> {
        let (mut start, mut end) = (first.0, last.0);
        let mut twice = None;
        // Runs that overlap or touch are merged. The loop goes down from the end of the new run, so the last
        // overlap that it finds is the lowest.
        while let Some((&run_start, &run_end)) = self.0.range(..=end.saturating_add(1)).next_back() {
            if run_end.saturating_add(1) < start {
                break;
            }
            if run_start <= last.0 && run_end >= first.0 {
                twice = Some(RecordId(run_start.max(first.0)));
            }
            (start, end) = (start.min(run_start), end.max(run_end));
            self.0.remove(&run_start);
        }
        self.0.insert(start, end);
        twice
    }

    pub(super) fn contains(&self, record: RecordId) -> bool {
        self.0.range(..=record.0).next_back().is_some_and(|(_, last)| *last >= record.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn the_first_record_seen_twice_is_named(runs in vec((1..40_i64, 0..6_i64), 0..20)) {
            let (mut covered, mut seen) = (Covered::default(), BTreeSet::new());
            for (first, length) in runs {
                let expected = (first..=first + length).find(|id| seen.contains(id)).map(RecordId);
                prop_assert_eq!(covered.add(RecordId(first), RecordId(first + length)), expected);
                seen.extend(first..=first + length);
            }
            prop_assert_eq!(covered.0.values().zip(covered.0.keys().skip(1)).find(|(end, next)| *end + 1 >= **next), None);
            for id in 0..50 {
                prop_assert_eq!(covered.contains(RecordId(id)), seen.contains(&id));
            }
        }
    }
}
