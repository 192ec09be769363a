//! Draining: when a run that ends by itself is at its end, and how it ends.

use crate::{
    actors::{end::End, messages::Fed},
    store::StoreError,
};

/// What such a run remembers until its end.
#[derive(Debug, Default)]
pub(super) struct Draining {
    /// What the schema said to a batch that it refused. The run ends with that, after it has done the rest.
    refused: Option<StoreError>,
    /// Whether the holdings were compared with the database after nothing was left to lease.
    has_compared: bool,
}

/// What an attempt to lease means for a run that ends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There is more to do.
    GoOn,
    /// The holdings are to be compared with the database first: the batches that are leased are those of
    /// others, unless they are this node's own and it does not know them.
    Compare,
    /// The run ends.
    End(End),
}

impl Draining {
    /// The schema refused a batch.
    pub fn refused(&mut self, error: StoreError) {
        self.refused = Some(error);
    }

    /// Judges an attempt that leased so many batches. `was_idle`, `is_idle`: nothing was in hand when it
    /// began, and nothing is now. What this node still held when the batches were counted is among those
    /// that were leased, so that only what was counted by an idle node counts.
    pub fn judge(&mut self, fed: &Fed, leased: usize, was_idle: bool, is_idle: bool) -> Verdict {
        self.has_compared &= leased == 0;
        let held_elsewhere = fed.held_when_nothing_waits().filter(|_| was_idle && is_idle);
        // What was refused may keep the last key: then there is nothing left to try.
        let is_stuck = leased == 0 && is_idle;
        match (&self.refused, held_elsewhere) {
            (Some(error), held) if held.is_some() || is_stuck => {
                Verdict::End(End::Failed(error.clone().into()))
            }
            (None, Some(1..)) if !self.has_compared => {
                self.has_compared = true;
                Verdict::Compare
            }
            (None, Some(held_elsewhere)) => Verdict::End(End::Drained { held_elsewhere }),
            _ => Verdict::GoOn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::OpenedBatches;

    fn counted(open: usize, leased: usize, waiting: Option<usize>) -> Fed {
        Fed::Counted(OpenedBatches { opened: 0, open, leased, waiting })
    }

    #[test]
    fn a_run_ends_when_an_idle_node_counted_nothing_that_waits() {
        let drained = Verdict::End(End::Drained { held_elsewhere: 0 });
        for (fed, leased, was_idle, is_idle, verdict) in [
            (counted(0, 0, None), 0, true, true, drained),
            (counted(0, 0, None), 0, false, true, Verdict::GoOn),
            (counted(0, 0, None), 0, true, false, Verdict::GoOn),
            (counted(0, 0, Some(1)), 0, true, true, Verdict::GoOn),
            (counted(2, 0, None), 0, true, true, Verdict::GoOn),
            (Fed::Promised(2), 2, true, true, Verdict::GoOn),
        ] {
            assert_eq!(Draining::default().judge(&fed, leased, was_idle, is_idle), verdict, "{fed:?}");
        }
    }

    #[test]
    fn what_others_hold_is_reported_after_it_was_compared_with_what_this_node_knows() {
        let (mut draining, fed) = (Draining::default(), counted(0, 3, None));
        assert_eq!(draining.judge(&fed, 0, true, true), Verdict::Compare);
        let drained = Verdict::End(End::Drained { held_elsewhere: 3 });
        assert_eq!(draining.judge(&fed, 0, true, true), drained);
        assert_eq!(draining.judge(&Fed::Promised(1), 1, true, true), Verdict::GoOn);
        assert_eq!(draining.judge(&fed, 0, true, true), Verdict::Compare, "it has leased since");
    }

    #[test]
    fn what_the_schema_refused_ends_the_run_when_nothing_is_left_to_try() {
        let (mut draining, error) = (Draining::default(), StoreError::Refused("bad".to_owned()));
        draining.refused(error.clone());
        let failed = Verdict::End(End::Failed(error.into()));
        assert_eq!(draining.judge(&counted(3, 0, None), 1, true, true), Verdict::GoOn);
        assert_eq!(draining.judge(&counted(3, 0, None), 0, true, false), Verdict::GoOn);
        assert_eq!(draining.judge(&counted(3, 0, None), 0, false, true), failed, "it keeps the last key");
        assert_eq!(draining.judge(&counted(0, 2, None), 0, true, true), failed);
    }
}
