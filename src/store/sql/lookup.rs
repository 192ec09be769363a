//! Rows of lookups: records, batches without their lists, and the record that has waited longest.

use std::time::Duration;

use diesel::{
    Queryable,
    sql_types::{BigInt, Binary, Nullable, Text},
};

use super::{batches::batch_state, checks::corrupt};
use crate::{
    domain::{BatchId, BatchState, Epoch, NodeId, RecordId, Runs},
    store::{BatchSummary, OldestUnsigned, RecordRow, StoreError},
};

/// The columns of [`RawRecord`], and those of its batch if that batch is signed.
pub(in crate::store) type RecordColumns =
    ((BigInt, Nullable<Binary>, BigInt, Nullable<Binary>, Text, Nullable<Binary>), Nullable<SummaryColumns>);

/// A record. As in an export, the `external_id` comes as bytes, because SQLite stores texts that are not UTF-8.
#[derive(Queryable)]
pub(in crate::store) struct RawRecord {
    id: i64,
    external_id: Option<Vec<u8>>,
    payload_length: i64,
    payload: Option<Vec<u8>>,
    created_at: String,
    signature: Option<Vec<u8>>,
}

/// The columns of [`RawSummary`].
pub(in crate::store) type SummaryColumns = (
    BigInt,
    Text,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    Nullable<Text>,
    Nullable<BigInt>,
    Nullable<Text>,
    Nullable<Text>,
    Text,
    Nullable<Text>,
    Nullable<Text>,
);

/// A batch, with the names of its key and node.
#[derive(Queryable)]
pub(in crate::store) struct RawSummary {
    id: i64,
    state: String,
    epoch: i64,
    first_record: i64,
    last_record: i64,
    record_count: i64,
    fingerprint: Option<String>,
    node_id: Option<i64>,
    node_name: Option<String>,
    scheme: Option<String>,
    opened_at: String,
    leased_at: Option<String>,
    signed_at: Option<String>,
}

/// Builds a record from its row and that of its signed batch. A signature counts only with that batch.
pub(in crate::store) fn record(
    (raw, batch): (RawRecord, Option<RawSummary>),
) -> Result<RecordRow, StoreError> {
    let payload_length =
        u64::try_from(raw.payload_length).map_err(|error| corrupt("record", raw.id, &error))?;
    Ok(RecordRow {
        id: RecordId(raw.id),
        external_id: raw.external_id.map(|name| String::from_utf8_lossy(&name).into_owned()),
        payload_length,
        payload: raw.payload,
        created_at: raw.created_at,
        signature: raw.signature.filter(|_| batch.is_some()),
        batch: batch.map(BatchSummary::try_from).transpose()?,
    })
}

impl TryFrom<RawSummary> for BatchSummary {
    type Error = StoreError;

    fn try_from(raw: RawSummary) -> Result<Self, StoreError> {
        let id = raw.id;
        let key = raw.fingerprint.map(|text| text.parse()).transpose();
        let scheme = raw.scheme.map(|name| name.parse()).transpose();
        let record_count = u64::try_from(raw.record_count);
        Ok(Self {
            id: BatchId(id),
            state: batch_state(&raw.state)?,
            epoch: Epoch(raw.epoch),
            first_record: RecordId(raw.first_record),
            last_record: RecordId(raw.last_record),
            record_count: record_count.map_err(|error| corrupt("batch", id, &error))?,
            key: key.map_err(|error: crate::domain::FingerprintError| corrupt("batch", id, &error))?,
            node: raw.node_id.map(|node| (NodeId(node), raw.node_name.unwrap_or_default())),
            scheme: scheme.map_err(|error: crate::domain::UnknownScheme| corrupt("batch", id, &error))?,
            opened_at: raw.opened_at,
            leased_at: raw.leased_at,
            signed_at: raw.signed_at,
        })
    }
}

/// A page of batches.
pub(in crate::store) fn summaries(rows: Vec<RawSummary>) -> Result<Vec<BatchSummary>, StoreError> {
    rows.into_iter().map(BatchSummary::try_from).collect()
}

/// A batch and its records.
pub(in crate::store) fn with_records(
    (raw, runs): (RawSummary, String),
) -> Result<(BatchSummary, Runs), StoreError> {
    let runs = runs.parse().map_err(|error| corrupt("batch", raw.id, &error))?;
    Ok((raw.try_into()?, runs))
}

/// Adds to a record without a signature the one of these batches that has it.
pub(in crate::store) fn add_unsigned_batch(
    record: &mut RecordRow,
    candidates: Vec<(RawSummary, String)>,
) -> Result<(), StoreError> {
    for candidate in candidates {
        let (batch, records) = with_records(candidate)?;
        if batch.state != BatchState::Signed && records.contains(record.id) {
            record.batch = Some(batch);
            break;
        }
    }
    Ok(())
}

/// The columns of [`RawOldest`].
pub(in crate::store) type OldestColumns = (BigInt, Text, BigInt);

/// The record that has waited longest.
#[derive(Queryable)]
pub(in crate::store) struct RawOldest {
    id: i64,
    created_at: String,
    /// Milliseconds.
    age: i64,
}

impl From<RawOldest> for OldestUnsigned {
    fn from(RawOldest { id, created_at, age }: RawOldest) -> Self {
        Self { record: RecordId(id), created_at, age: Duration::from_millis(age.unsigned_abs()) }
    }
}
