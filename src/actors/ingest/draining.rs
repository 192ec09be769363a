//! Draining: decides when and how a run that ends by itself is over.

use crate::{
    actors::{end::End, messages::Fed},
    store::StoreError,
};

/// What a run that ends by itself remembers until its end.
#[derive(Debug, Default)]
pub(super) struct Draining {
    /// The error for a batch that the schema refused. The run finishes the rest, and then ends with this error.
    refused: Option<StoreError>,
    /// Whether the holdings were compared with the database since nothing was left to lease.
    has_compared: bool,
}

/// What an attempt to lease means for a run that ends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There is more to do.
    GoOn,
    /// The holdings must be compared with the database first, because the leased batches may be leases that this
    /// node holds but does not know.
    Compare,
    /// The run ends.
    End(End),
}

impl Draining {
    /// The schema refused a batch.
    pub fn refused(&mut self, error: StoreError) {
        self.refused = Some(error);
    }

    /// Judges an attempt that leased `leased` batches. `was_idle` and `is_idle` say whether nothing was in hand
    /// before and after it. Only a count by an idle node is used, because the count of leased batches includes
    /// those of this node.
    pub fn judge(&mut self, fed: &Fed, leased: usize, was_idle: bool, is_idle: bool) -> Verdict {
        self.has_compared &= leased == 0;
        let held_elsewhere = fed.held_when_nothing_waits().filter(|_| was_idle && is_idle);
        // A refused batch may still hold the last key. Then nothing is left to try.
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
    use crate::{actors::messages::Supply, store::OpenedBatches};

    fn counted(open: usize, leased: usize, waiting: Option<usize>) -> Fed {
        let opened = OpenedBatches { open, leased, waiting, ..OpenedBatches::default() };
        Fed { supply: Supply::Counted(opened), backlog: 0 }
    }

    fn promised(batches: usize) -> Fed {
        Fed { supply: Supply::Promised(batches), backlog: 0 }
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
            (promised(2), 2, true, true, Verdict::GoOn),
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
        assert_eq!(draining.judge(&promised(1), 1, true, true), Verdict::GoOn);
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
