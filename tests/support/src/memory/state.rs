//! The tables, and what several subjects ask of them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use super::access::Token;
use signwave::{
    domain::{
        BatchId, BatchState, Epoch, KeyId, KeyMaterial, NodeId, Position, Reach, RecordId, RefusedId, Time,
        WebhookName, ledger::Edge, promises::ReceiptFact,
    },
    store::{AuditRow, BatchRow, KeyRow, RefusedRow, SealedLedgerKey, StoredWebhook},
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
    /// The batch at each position, from 1 on.
    pub(super) feed: Vec<BatchId>,
    /// Signed batches without a position.
    pub(super) unsequenced: BTreeSet<BatchId>,
    /// The receipts, from number 1 on, and the end of their tree.
    pub(super) receipts: Vec<ReceiptFact>,
    pub(super) edge: Edge,
    pub(super) ledger_key: Option<SealedLedgerKey>,
    pub(super) checkpoint: Option<(u64, String)>,
    pub(super) outlets: BTreeMap<String, Outlet>,
    pub(super) webhooks: BTreeMap<WebhookName, Webhook>,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    /// Ids of nodes are never used twice.
    pub(super) last_node: i64,
    /// In the order in which they were added.
    pub(super) tokens: Vec<Token>,
    pub(super) audit_log: Vec<AuditRow>,
    pub(super) refused: BTreeMap<RefusedId, Refused>,
    /// Ids of refused messages are never used twice.
    pub(super) last_refused: i64,
}

#[derive(Clone)]
pub(super) struct Refused {
    pub(super) row: RefusedRow,
    pub(super) digest: [u8; 32],
    pub(super) payload: Vec<u8>,
}

#[derive(Clone)]
pub(super) struct Outlet {
    pub(super) position: Position,
    pub(super) epoch: Epoch,
    pub(super) holder: Option<(NodeId, Duration)>,
}

#[derive(Clone)]
pub(super) struct Webhook {
    pub(super) stored: StoredWebhook,
    pub(super) is_enabled: bool,
    pub(super) reason: Option<String>,
    pub(super) previous_until: Duration,
    pub(super) retry_at: Option<Duration>,
    pub(super) delivered_at: Option<Duration>,
    pub(super) created_at: Duration,
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
    pub(super) certificates: Option<Vec<u8>>,
}

#[derive(Clone)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) started: Duration,
    pub(super) lease_until: Duration,
    pub(super) ttl: Duration,
    pub(super) is_dead: bool,
    pub(super) reach: Reach,
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

    /// How far the highest id is above the frontier.
    pub(super) fn waiting_at_most(&self) -> u64 {
        let highest = self.records.last_key_value().map_or(0, |(id, _)| id.0);
        (highest - self.frontier().0).max(0) as u64
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

    /// A time of day, as if the store had been made when 2026 began; it ends before the year 10,000.
    pub(super) fn time(time: Duration) -> Time {
        const BEGUN: Duration = Duration::from_secs(1_767_225_600);
        const LONGEST: Duration = Duration::from_secs(250_000_000_000);
        Time::from_millis((BEGUN + time.min(LONGEST)).as_millis() as u64)
    }

    /// The same as text.
    pub(super) fn time_text(time: Duration) -> String {
        Self::time(time).to_string()
    }
}
