//! Which ids were seen: of records in some batch, or of batches.

use std::collections::BTreeMap;

/// The ids seen so far, as runs. Usually there is one run.
#[derive(Default)]
pub(super) struct Covered(BTreeMap<i64, i64>);

impl Covered {
    /// Adds a run. Returns the first of its ids that had been added before.
    pub(super) fn add(&mut self, first: i64, last: i64) -> Option<i64> {
        let (mut start, mut end) = (first, last);
        let mut twice = None;
        // Runs that overlap or touch are merged. The loop goes down from the end of the new run, so the last
        // overlap that it finds is the lowest.
        while let Some((&run_start, &run_end)) = self.0.range(..=end.saturating_add(1)).next_back() {
            if run_end.saturating_add(1) < start {
                break;
            }
            if run_start <= last && run_end >= first {
                twice = Some(run_start.max(first));
            }
            (start, end) = (start.min(run_start), end.max(run_end));
            self.0.remove(&run_start);
        }
        self.0.insert(start, end);
        twice
    }

    pub(super) fn contains(&self, id: i64) -> bool {
        self.0.range(..=id).next_back().is_some_and(|(_, last)| *last >= id)
    }

    /// Every id, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = i64> {
        self.0.iter().flat_map(|(first, last)| *first..=*last)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn the_first_id_seen_twice_is_named(runs in vec((1..40_i64, 0..6_i64), 0..20)) {
            let (mut covered, mut seen) = (Covered::default(), BTreeSet::new());
            for (first, length) in runs {
                let expected = (first..=first + length).find(|id| seen.contains(id));
                prop_assert_eq!(covered.add(first, first + length), expected);
                seen.extend(first..=first + length);
            }
            prop_assert_eq!(covered.0.values().zip(covered.0.keys().skip(1)).find(|(end, next)| *end + 1 >= **next), None);
            prop_assert!(covered.iter().eq(seen.iter().copied()));
            for id in 0..50 {
                prop_assert_eq!(covered.contains(id), seen.contains(&id));
            }
        }
    }
}
