//! Stored rows as domain values.

use diesel::{
    QueryResult,
    sql_types::{BigInt, Binary, Integer, Nullable, Text},
};

use super::statement::Value;
use crate::{
    domain::{BatchId, BatchState, Epoch, KeyId, KeyState, NodeId, RecordId, Runs, Scheme},
    store::{BatchRow, Counts, KeyRow, NodeRow, SignedRow, Status, StoreError, StoredKey},
};

/// A batch as its columns come.
pub(in crate::store) type RawBatch =
    ((i64, i64, i64, String, i64), (String, i64, Option<i64>, Option<i64>, Option<String>, Option<String>));

/// Gives a batch its meaning.
pub(in crate::store) fn batch_row(raw: RawBatch) -> Result<BatchRow, StoreError> {
    let ((id, first, last, runs, count), (state, epoch, key, node, scheme, signed_at)) = raw;
    let scheme: Option<Scheme> =
        scheme.map(|name| name.parse()).transpose().map_err(|error| corrupt("batch", id, &error))?;
    let count = u64::try_from(count).map_err(|error| corrupt("batch", id, &error))?;
    Ok(BatchRow {
        id: BatchId(id),
        records: parse_runs(BatchId(id), &runs)?,
        stored_span: (RecordId(first), RecordId(last), count),
        state: parse_state(&state)?,
        epoch: Epoch(epoch),
        key: key.map(KeyId),
        node: node.map(NodeId),
        scheme,
        signed_at,
    })
}

pub(in crate::store) fn parse_runs(batch: BatchId, runs: &str) -> Result<Runs, StoreError> {
    runs.parse().map_err(|error| corrupt("batch", batch.0, &error))
}

pub(in crate::store) fn parse_state(state: &str) -> Result<BatchState, StoreError> {
    state.parse().map_err(|error: crate::domain::UnknownBatchState| StoreError::Corrupt(error.to_string()))
}

/// Says which row it was.
pub(super) fn corrupt(table: &str, id: i64, error: &dyn std::error::Error) -> StoreError {
    StoreError::Corrupt(format!("{table} {id}: {error}"))
}

/// The columns of [`RawBatch`].
pub(in crate::store) type BatchColumns = (
    (BigInt, BigInt, BigInt, Text, BigInt),
    (Text, BigInt, Nullable<BigInt>, Nullable<BigInt>, Nullable<Text>, Nullable<Text>),
);

/// A key as its columns come.
pub(in crate::store) type RawKey =
    (i64, String, Vec<u8>, i32, String, Option<String>, Option<i64>, i64, i64, String);

/// Gives a key its meaning.
pub(in crate::store) fn key_row(raw: RawKey) -> Result<KeyRow, StoreError> {
    let (
        id,
        fingerprint,
        public_key,
        bits,
        state,
        state_reason,
        batch,
        last_leased,
        signature_count,
        created_at,
    ) = raw;
    Ok(KeyRow {
        id: KeyId(id),
        fingerprint: fingerprint.parse().map_err(|error| corrupt("key", id, &error))?,
        public_key,
        bits: u32::try_from(bits).map_err(|error| corrupt("key", id, &error))?,
        state: state.parse().map_err(|error| corrupt("key", id, &error))?,
        state_reason,
        leased_batch: batch.map(BatchId),
        last_leased,
        signature_count,
        created_at,
    })
}

/// The columns of [`RawKey`].
pub(in crate::store) type KeyColumns =
    (BigInt, Text, Binary, Integer, Text, Nullable<Text>, Nullable<BigInt>, BigInt, BigInt, Text);

/// What a key is opened from, as its columns come.
pub(in crate::store) type RawStoredKey = (String, Vec<u8>, Option<Vec<u8>>);

/// Gives what a key is opened from its meaning.
pub(in crate::store) fn stored_key(key: KeyId, raw: RawStoredKey) -> Result<StoredKey, StoreError> {
    let (fingerprint, public_key, sealed_key) = raw;
    let fingerprint = fingerprint.parse().map_err(|error| corrupt("key", key.0, &error))?;
    Ok(StoredKey { id: key, fingerprint, public_key, sealed_key })
}

/// A state, how many there are in it, and what they add up to.
pub(in crate::store) type RawSum = (String, i64, i64);

/// A node as its columns come.
pub(in crate::store) type RawNode = (i64, String, String, String, i64);

/// How far the work is: by the nodes, the records in no batch, the keys with their signatures, the
/// batches that are not signed with their records, and the highest id of a batch. What is signed is the
/// sum of the keys' signatures; batches are numbered without gaps.
pub(in crate::store) fn status(
    nodes: Vec<RawNode>,
    unbatched: u64,
    keys: Vec<RawSum>,
    unsigned: Vec<RawSum>,
    highest: i64,
) -> Result<Status, StoreError> {
    let node = |(id, name, started_at, lease_until, batches)| NodeRow {
        id: NodeId(id),
        name,
        started_at,
        lease_until,
        batches: batches as u64,
    };
    let mut status = Status { nodes: nodes.into_iter().map(node).collect(), unbatched, ..Status::default() };
    for (name, keys, signatures) in keys {
        let state: KeyState = name.parse().map_err(|error| corrupt("key in state", keys, &error))?;
        *status.keys.counter(state) = keys as u64;
        status.signed += signatures as u64;
    }
    for (name, batches, records) in unsigned {
        let state = parse_state(&name)?;
        *status.batches.counter(state) = batches as u64;
        match state {
            BatchState::Open => status.open = records as u64,
            _ => status.leased = records as u64,
        }
    }
    let unsigned = status.batches.open + status.batches.leased;
    status.batches.signed = (highest as u64).saturating_sub(unsigned);
    Ok(status)
}

/// Six counts as their columns come.
pub(in crate::store) type RawCounts = (i64, i64, i64, i64, i64, i64);

/// Gives counts their names.
pub(in crate::store) fn counts(raw: RawCounts) -> Counts {
    let [records, signatures, batches, unbatched, in_batches, in_signed] =
        <[i64; 6]>::from(raw).map(|count| count as u64);
    Counts { records, signatures, batches, unbatched, in_batches, in_signed }
}

/// A record and its signature as their columns come. The `external_id` as bytes: SQLite takes any, and
/// one of them must not stop an export.
pub(in crate::store) type RawSigned = (i64, Option<Vec<u8>>, Vec<u8>, Option<i64>, Option<Vec<u8>>);

/// The columns of [`RawSigned`].
pub(in crate::store) type SignedColumns =
    (BigInt, Nullable<Binary>, Binary, Nullable<BigInt>, Nullable<Binary>);

/// How many records are read at a time, and how many bytes of them, whichever comes first.
const PAGE_ROWS: i64 = 512;
const PAGE_BYTES: usize = 4 << 20;

/// Reads `records` page by page: `read` gets the values of a statement (the first and the last id, and
/// how many rows at most), and answers what [`page`] makes of its rows.
///
/// Each page is read as a whole before it is shown: whoever watches may be slow, and a statement that goes
/// on for long keeps SQLite's log from being cut, and old versions of rows alive in PostgreSQL.
pub(in crate::store) fn read_pages(
    records: &Runs,
    read: impl Fn(&[Value<'_>]) -> Result<Vec<RawSigned>, StoreError>,
    visit: &mut dyn FnMut(SignedRow<'_>),
) -> Result<(), StoreError> {
    for (first, last) in records.ranges() {
        let mut next = first.0;
        while next <= last.0 {
            let page = read(&[Value::Integer(next), Value::Integer(last.0), Value::Integer(PAGE_ROWS)])?;
            let Some((last_id, ..)) = page.last() else { break };
            let behind = last_id.checked_add(1);
            visit_signed(&page, visit);
            // There is none behind the highest number.
            let Some(behind) = behind else { break };
            next = behind;
        }
    }
    Ok(())
}

/// The first of `rows`, as many as make a page.
pub(in crate::store) fn page(
    rows: impl Iterator<Item = QueryResult<RawSigned>>,
) -> QueryResult<Vec<RawSigned>> {
    let (mut page, mut bytes) = (Vec::new(), 0);
    for row in rows {
        let row = row?;
        bytes += row.2.len();
        page.push(row);
        if bytes >= PAGE_BYTES {
            break;
        }
    }
    Ok(page)
}

fn visit_signed(page: &[RawSigned], visit: &mut dyn FnMut(SignedRow<'_>)) {
    for (id, external_id, payload, batch, signature) in page {
        visit(SignedRow {
            record: RecordId(*id),
            external_id: external_id.as_deref().map(String::from_utf8_lossy).as_deref(),
            payload,
            signature: batch.map(BatchId).zip(signature.as_deref()),
        });
    }
}

/// SQL takes a negative limit for none, or for an error.
pub(in crate::store) fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A statement must have changed exactly so many rows.
pub(in crate::store) fn expect_rows(
    what: &'static str,
    expected: usize,
    found: usize,
) -> Result<(), StoreError> {
    if expected == found {
        Ok(())
    } else {
        Err(StoreError::RowCount { what, expected: expected as u64, found: found as u64 })
    }
}
