//! The tables, and what several subjects ask of them.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use super::access::Token;
use signwave::{
    domain::{BatchId, BatchState, KeyId, KeyMaterial, NodeId, RecordId},
    store::{AuditRow, BatchRow, KeyRow},
};

/// The tables.
#[derive(Clone, Default)]
pub(super) struct State {
    /// The time since the store was made.
    pub(super) now: Duration,
    pub(super) records: BTreeMap<RecordId, Record>,
    pub(super) by_external_id: HashMap<String, RecordId>,
    pub(super) keys: BTreeMap<KeyId, Key>,
    pub(super) batches: BTreeMap<BatchId, BatchRow>,
    /// When each batch was formed, and when it was leased last.
    pub(super) times: BTreeMap<BatchId, (Duration, Option<Duration>)>,
    pub(super) signatures: BTreeMap<RecordId, (BatchId, Vec<u8>)>,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    /// Ids of nodes are never used twice.
    pub(super) last_node: i64,
    /// In the order in which they were added.
    pub(super) tokens: Vec<Token>,
    pub(super) audit_log: Vec<AuditRow>,
}

#[derive(Clone)]
pub(super) struct Record {
    pub(super) external_id: Option<String>,
    pub(super) payload: Vec<u8>,
    pub(super) added: Duration,
}

#[derive(Clone)]
pub(super) struct Key {
    pub(super) row: KeyRow,
    pub(super) material: KeyMaterial,
}

#[derive(Clone)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) started: Duration,
    pub(super) lease_until: Duration,
    pub(super) ttl: Duration,
    pub(super) is_dead: bool,
}

impl State {
    /// The highest id in any batch.
    pub(super) fn frontier(&self) -> RecordId {
        self.batches.values().next_back().map_or(RecordId(0), |batch| batch.stored_span.1)
    }

    /// The records above the frontier, in id order.
    pub(super) fn above_frontier(&self) -> impl Iterator<Item = RecordId> {
        self.records.range(RecordId(self.frontier().0 + 1)..).map(|(id, _)| *id)
    }

    pub(super) fn in_state(&self, state: BatchState) -> impl Iterator<Item = &BatchRow> {
        self.batches.values().filter(move |batch| batch.state == state)
    }

    /// The batch that is leased with a key. A signed batch names its key too, but does not hold it.
    pub(super) fn leased_with(&self, key: KeyId) -> Option<BatchId> {
        self.batches
            .values()
            .find(|batch| batch.node.is_some() && batch.key == Some(key))
            .map(|batch| batch.id)
    }

    /// RFC 3339, as if the store had been made when 2026 began; it ends before the year 10,000.
    pub(super) fn time_text(time: Duration) -> String {
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
