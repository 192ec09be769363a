//! How far the work is, in memory; and times as texts.

use std::time::Duration;

use super::{Counts, State, Status};
use crate::{
    domain::{BatchState, KeyState},
    store::NodeRow,
};

impl State {
    pub(super) fn status(&self) -> Status {
        let records = |state| self.in_state(state).map(|batch| batch.records.len()).sum();
        Status {
            signed: records(BatchState::Signed),
            leased: records(BatchState::Leased),
            open: records(BatchState::Open),
            unbatched: self.above_frontier().count() as u64,
            batches: BatchState::ALL.map(|state| self.in_state(state).count() as u64),
            keys: KeyState::ALL
                .map(|state| self.keys.values().filter(|key| key.row.state == state).count() as u64),
            nodes: self.node_rows(),
        }
    }

    fn node_rows(&self) -> Vec<NodeRow> {
        let row = |(id, node): (&_, &super::Node)| NodeRow {
            id: *id,
            name: node.name.clone(),
            started_at: self.time_text(node.started),
            lease_until: self.time_text(node.lease_until),
            batches: self.batches.values().filter(|batch| batch.node == Some(*id)).count() as u64,
        };
        self.nodes.iter().map(row).collect()
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            records: self.records.len() as u64,
            signatures: self.signatures.len() as u64,
            batches: self.batches.len() as u64,
            unbatched: self.above_frontier().count() as u64,
            in_batches: self.batches.values().map(|batch| batch.records.len()).sum(),
            in_signed: self.in_state(BatchState::Signed).map(|batch| batch.records.len()).sum(),
        }
    }

    /// RFC 3339, as if the store had been made when 2026 began; it ends before the year 10,000.
    pub(super) fn time_text(&self, time: Duration) -> String {
        const DAY: u64 = 86_400;
        let (mut year, mut days) = (2026, (time.as_secs() / DAY).min(2_900_000));
        let is_leap =
            |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        while days >= 365 + u64::from(is_leap(year)) {
            days -= 365 + u64::from(is_leap(year));
            year += 1;
        }
        let mut month = 1;
        for length in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
            if days < length {
                break;
            }
            days -= length;
            month += 1;
        }
        let (seconds, millis) = (time.as_secs() % DAY, time.subsec_millis());
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z", days + 1)
    }
}
