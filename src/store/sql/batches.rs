//! Rows of `batch`, as far as each question needs them.

use diesel::{
    Queryable,
    sql_types::{BigInt, Nullable, Text},
};

use super::checks::corrupt;
use crate::{
    domain::{BatchId, BatchState, Epoch, Holding, KeyId, NodeId, OpenBatch, RecordId, Runs, Scheme},
    store::{BatchRow, StoreError},
};

/// The columns of [`RawBatch`].
pub(in crate::store) type BatchColumns = (
    BigInt,
    BigInt,
    BigInt,
    Text,
    BigInt,
    Text,
    BigInt,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<Text>,
    Nullable<Text>,
);

/// A batch with all columns that readers may see.
#[derive(Queryable)]
pub(in crate::store) struct RawBatch {
    id: i64,
    first_record: i64,
    last_record: i64,
    runs: String,
    record_count: i64,
    state: String,
    epoch: i64,
    key_id: Option<i64>,
    node_id: Option<i64>,
    scheme: Option<String>,
    signed_at: Option<String>,
}

impl TryFrom<RawBatch> for BatchRow {
    type Error = StoreError;

    fn try_from(raw: RawBatch) -> Result<Self, StoreError> {
        let RawBatch { id, key_id, node_id, signed_at, .. } = raw;
        let scheme: Option<Scheme> =
            raw.scheme.map(|name| name.parse()).transpose().map_err(|error| corrupt("batch", id, &error))?;
        let count = u64::try_from(raw.record_count).map_err(|error| corrupt("batch", id, &error))?;
        Ok(Self {
            id: BatchId(id),
            records: runs(id, &raw.runs)?,
            stored_span: (RecordId(raw.first_record), RecordId(raw.last_record), count),
            state: batch_state(&raw.state)?,
            epoch: Epoch(raw.epoch),
            key: key_id.map(KeyId),
            node: node_id.map(NodeId),
            scheme,
            signed_at,
        })
    }
}

/// The columns of [`RawOpen`].
pub(in crate::store) type OpenColumns = (BigInt, BigInt, BigInt, Text);

/// A batch that waits for a key.
#[derive(Queryable)]
pub(in crate::store) struct RawOpen {
    pub(in crate::store) id: i64,
    pub(in crate::store) epoch: i64,
    pub(in crate::store) record_count: i64,
    runs: String,
}

impl TryFrom<RawOpen> for OpenBatch {
    type Error = StoreError;

    fn try_from(raw: RawOpen) -> Result<Self, StoreError> {
        let RawOpen { id, epoch, .. } = raw;
        Ok(Self { id: BatchId(id), epoch: Epoch(epoch), records: runs(id, &raw.runs)? })
    }
}

/// The columns of [`RawHolding`].
pub(in crate::store) type HoldingColumns = (BigInt, Text, BigInt, Nullable<BigInt>);

/// A batch, and who holds it.
#[derive(Queryable)]
pub(in crate::store) struct RawHolding {
    id: i64,
    state: String,
    epoch: i64,
    node_id: Option<i64>,
}

impl TryFrom<RawHolding> for (BatchId, Holding) {
    type Error = StoreError;

    fn try_from(RawHolding { id, state, epoch, node_id }: RawHolding) -> Result<Self, StoreError> {
        let (state, node) = (batch_state(&state)?, node_id.map(NodeId));
        Ok((BatchId(id), Holding { state, epoch: Epoch(epoch), node }))
    }
}

pub(super) fn runs(batch: i64, runs: &str) -> Result<Runs, StoreError> {
    runs.parse().map_err(|error| corrupt("batch", batch, &error))
}

/// The state with this name.
pub(super) fn batch_state(name: &str) -> Result<BatchState, StoreError> {
    name.parse().map_err(|error: crate::domain::UnknownBatchState| StoreError::Corrupt(error.to_string()))
}
