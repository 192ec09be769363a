//! Stock: Emit's estimate of the database, and the decisions based on it. No actor, no clock, no database.

use std::time::Duration;

use crate::{
    actors::mode::Mode,
    config::{Roles, Settings},
    store::{OpenBatches, OpenedBatches},
};

/// Emit's estimate: how many batches are open, whether signers are idle, whether records wait.
pub(super) struct Stock {
    rules: Rules,
    /// Batches that are believed open and are not promised to Ingest.
    open: usize,
    /// About how many records are in no batch.
    unbatched: u64,
    /// Whether signers are idle, because more batches were wanted than were open.
    is_wanted: bool,
    /// The time since which records wait for their batch to fill up.
    waiting_since: Option<Duration>,
    /// Whether a look at the database is planned for the end of the linger.
    plans_look: bool,
}

struct Rules {
    mode: Mode,
    open_at_most: usize,
    batch_size: usize,
    linger: Duration,
}

/// Records to form into batches beyond those asked for, so that small batches are formed in bulk.
const RECORDS_AHEAD: usize = 1024;

/// How many times the wanted number of batches is formed at once. A transaction then does more work, and several
/// nodes that ask at the same time each find enough.
const TIMES_AHEAD: usize = 4;

impl Stock {
    /// A stock that knows nothing of the database yet.
    pub fn new(settings: &Settings, mode: Mode) -> Self {
        let rules = Rules {
            mode,
            open_at_most: settings.open_at_most(),
            batch_size: settings.batch_size,
            linger: settings.linger,
        };
        Self { rules, open: 0, unbatched: 0, is_wanted: true, waiting_since: None, plans_look: false }
    }

    /// Whether this node has an Ingest that asks for batches. Only an Ingest knows whether signers are idle.
    pub fn is_asked(&self) -> bool {
        self.rules.mode.roles().signs()
    }

    /// Promises `want` batches, if that many are believed open.
    pub fn promise(&mut self, want: usize) -> bool {
        let Some(left) = self.open.checked_sub(want) else { return false };
        (self.open, self.is_wanted) = (left, false);
        true
    }

    /// About how many records wait: those in `promised` batches that were promised just now, in other open batches,
    /// and in none.
    pub fn backlog(&self, promised: usize) -> u64 {
        let batches = (self.open + promised) as u64;
        self.unbatched.saturating_add(batches.saturating_mul(self.rules.batch_size as u64))
    }

    /// Notes that more batches are wanted than are known to be open, so signers are idle.
    pub fn ran_short(&mut self) {
        self.is_wanted = true;
    }

    /// Whether a look at the database is useless, because signers are busy and more batches are open.
    pub fn needs_no_look(&self) -> bool {
        self.is_asked() && !self.is_wanted && self.open > 0
    }

    /// The request to the database when `want` batches are wanted.
    pub fn request(&self, want: usize, now: Duration) -> OpenBatches {
        let Rules { mode, open_at_most, batch_size, linger } = self.rules;
        let has_lingered = self.waiting_since.is_some_and(|since| now >= since + linger);
        OpenBatches {
            batch_size,
            keep_open: match mode.roles() {
                Roles::Both => (TIMES_AHEAD * want).max(RECORDS_AHEAD / batch_size),
                Roles::Emit => open_at_most,
                // The node forms no batches. The reply says how many batches other nodes have formed.
                Roles::Sign => 0,
            },
            partial: mode.drains() || self.is_wanted || has_lingered,
        }
    }

    /// Notes the reply to a request for `want` batches, which are promised now.
    pub fn fed(&mut self, want: usize, opened: &OpenedBatches, now: Duration) {
        self.note(want, opened, now);
        self.is_wanted = opened.open < want;
    }

    /// Notes the reply to a look at the database.
    pub fn looked(&mut self, opened: &OpenedBatches, now: Duration) {
        if self.is_asked() {
            self.note(0, opened, now);
        } else {
            // The signing nodes are idle when no batch is open.
            self.fed(1, opened, now);
        }
    }

    fn note(&mut self, promised: usize, opened: &OpenedBatches, now: Duration) {
        self.open = opened.open.saturating_sub(promised);
        self.unbatched = opened.waiting_at_most;
        self.waiting_since = match (opened.waiting, self.waiting_since) {
            (Some(_), Some(since)) if opened.opened == 0 => Some(since),
            (Some(_), _) => Some(now),
            (None, _) => None,
        };
    }

    /// When to look again to form an incomplete batch; `None` if a look is already planned or not needed. On a
    /// node without Ingest, the batch is formed when the linger is over, however long the poll interval is.
    pub fn plan_look(&mut self) -> Option<Duration> {
        let has_room = self.open + 1 < self.rules.open_at_most;
        let is_due = !self.is_asked() && self.waiting_since.is_some() && has_room && !self.plans_look;
        self.plans_look |= is_due;
        is_due.then_some(self.rules.linger)
    }

    /// Notes that the planned look takes place now.
    pub fn looks_as_planned(&mut self) {
        self.plans_look = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(100);
    const LINGER: Duration = Duration::from_millis(200);

    fn stock(roles: Roles) -> Stock {
        let settings = Settings { signers: 2, linger: LINGER, ..Settings::default() };
        Stock::new(&settings, Mode::Serve(roles))
    }

    fn opened(open: usize, opened: usize, waiting: Option<usize>) -> OpenedBatches {
        OpenedBatches { opened, open, waiting, ..OpenedBatches::default() }
    }

    #[test]
    fn what_is_believed_open_is_promised_once() {
        let mut stock = stock(Roles::Both);
        assert!(!stock.promise(1), "nothing is known yet");
        stock.fed(4, &opened(10, 10, None), START);
        assert_eq!(
            [stock.promise(4), stock.promise(4), stock.promise(2), stock.promise(1)],
            [true, false, true, false]
        );
    }

    #[test]
    fn the_backlog_is_what_is_promised_and_open_and_in_no_batch() {
        let mut stock = stock(Roles::Both);
        assert_eq!(stock.backlog(0), 0, "nothing is known yet");
        stock.fed(4, &OpenedBatches { waiting_at_most: 70_500, ..opened(10, 10, Some(1)) }, START);
        assert_eq!(stock.backlog(4), 80_500);
        assert!(stock.promise(2));
        assert_eq!(stock.backlog(2), 76_500, "4 are being signed");
        stock.fed(4, &opened(3, 0, None), START);
        assert_eq!(stock.backlog(3), 3000);
    }

    #[test]
    fn nobody_looks_while_signers_are_busy_and_more_is_open() {
        let mut stock = stock(Roles::Both);
        assert!(!stock.needs_no_look());
        stock.fed(4, &opened(5, 5, None), START);
        assert!(stock.needs_no_look());
        stock.ran_short();
        assert!(!stock.needs_no_look(), "more was wanted than is known to be there");
        stock.fed(4, &opened(4, 0, None), START);
        assert!(!stock.needs_no_look(), "nothing more is open");
        let mut stock = self::stock(Roles::Emit);
        stock.looked(&opened(9, 9, None), START);
        assert!(!stock.needs_no_look(), "where nobody asks, it looks always");
    }

    #[test]
    fn an_incomplete_batch_is_formed_for_idle_signers_or_after_the_linger_or_in_a_run_that_drains() {
        let mut stock = stock(Roles::Both);
        let partial = |stock: &Stock, after| stock.request(1, START + after).partial;
        assert!(partial(&stock, Duration::ZERO), "signers are idle until something else is known");
        stock.fed(1, &opened(2, 2, Some(5)), START);
        assert!(!partial(&stock, LINGER / 2));
        assert!(partial(&stock, LINGER));
        stock.looked(&opened(1, 0, Some(6)), START + LINGER / 2);
        assert!(partial(&stock, LINGER), "it has waited since the first look");
        stock.looked(&opened(2, 1, Some(6)), START + LINGER / 2);
        assert!(!partial(&stock, LINGER), "a batch was formed since: these are others");
        stock.looked(&opened(2, 0, None), START + LINGER);
        assert!(!partial(&stock, 9 * LINGER), "nothing waits");
        stock.fed(3, &opened(2, 0, None), START);
        assert!(partial(&stock, Duration::ZERO), "signers are idle");
        let mut draining = Stock::new(&Settings::default(), Mode::Drain);
        draining.fed(1, &opened(2, 2, Some(5)), START);
        assert!(partial(&draining, Duration::ZERO));
    }

    #[test]
    fn a_look_does_not_tell_whether_signers_are_idle_where_ingest_can() {
        let mut stock = stock(Roles::Both);
        stock.looked(&opened(5, 5, None), START);
        assert!(!stock.needs_no_look(), "they were idle before, and nobody has asked since");
        assert!(stock.promise(5), "what the look found is promised to nobody");
        let mut alone = self::stock(Roles::Emit);
        alone.looked(&opened(0, 0, Some(1)), START);
        assert!(alone.request(1, START).partial, "signers elsewhere have nothing");
        alone.looked(&opened(1, 1, Some(1)), START);
        assert!(!alone.request(1, START).partial);
    }

    #[test]
    fn how_many_batches_are_formed_depends_on_the_roles() {
        let keep_open = |roles, want| stock(roles).request(want, START).keep_open;
        assert_eq!((keep_open(Roles::Both, 5), keep_open(Roles::Both, 0)), (20, 1));
        assert_eq!(keep_open(Roles::Emit, 1), 32);
        assert_eq!(keep_open(Roles::Sign, 5), 0);
    }

    #[test]
    fn a_look_after_the_linger_is_planned_once_and_only_where_nobody_asks() {
        let mut stock = stock(Roles::Emit);
        stock.looked(&opened(1, 1, None), START);
        assert_eq!(stock.plan_look(), None, "nothing waits");
        stock.looked(&opened(1, 0, Some(3)), START);
        assert_eq!((stock.plan_look(), stock.plan_look()), (Some(LINGER), None));
        stock.looks_as_planned();
        assert_eq!(stock.plan_look(), Some(LINGER));
        stock.looks_as_planned();
        stock.looked(&opened(32, 0, Some(3)), START);
        assert_eq!(stock.plan_look(), None, "there is no room for another batch");
        let mut asked = self::stock(Roles::Both);
        asked.looked(&opened(1, 0, Some(3)), START);
        assert_eq!(asked.plan_look(), None);
    }
}
