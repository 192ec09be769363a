//! Rows that are shown: keys, and records with their signatures.

use diesel::{
    QueryResult, Queryable,
    sql_types::{BigInt, Binary, Integer, Nullable, Text},
};

use super::{checks::corrupt, statement::Value};
use crate::{
    domain::{
        BatchId, KeyId, KeyLimits, KeyMaterial, MaxSignatures, RecordId, Runs, StoredKey, TimeError,
        UnknownBarred,
    },
    store::{KeyRow, SignedRow, StoreError},
};

/// A key as people may see it.
#[derive(Queryable)]
pub(in crate::store) struct RawKey {
    id: i64,
    fingerprint: String,
    public_key: Vec<u8>,
    bits: i32,
    custody: String,
    state: String,
    state_reason: Option<String>,
    limits: RawLimits,
    barred: Option<String>,
    leased_batch: Option<i64>,
    last_leased: i64,
    signature_count: i64,
    created_at: String,
}

impl TryFrom<RawKey> for KeyRow {
    type Error = StoreError;

    fn try_from(raw: RawKey) -> Result<Self, StoreError> {
        let id = raw.id;
        Ok(Self {
            id: KeyId(id),
            fingerprint: raw.fingerprint.parse().map_err(|error| corrupt("key", id, &error))?,
            public_key: raw.public_key,
            bits: u32::try_from(raw.bits).map_err(|error| corrupt("key", id, &error))?,
            custody: raw.custody,
            state: raw.state.parse().map_err(|error| corrupt("key", id, &error))?,
            state_reason: raw.state_reason,
            limits: limits(id, raw.limits)?,
            barred: raw
                .barred
                .map(|reason| reason.parse())
                .transpose()
                .map_err(|error: UnknownBarred| corrupt("key", id, &error))?,
            leased_batch: raw.leased_batch.map(BatchId),
            last_leased: raw.last_leased,
            signature_count: raw.signature_count,
            created_at: raw.created_at,
        })
    }
}

/// The columns of [`RawKey`].
pub(in crate::store) type KeyColumns = (
    BigInt,
    Text,
    Binary,
    Integer,
    Text,
    Text,
    Nullable<Text>,
    LimitColumns,
    Nullable<Text>,
    Nullable<BigInt>,
    BigInt,
    BigInt,
    Text,
);

/// The columns max_signatures, not_before and not_after of a key.
pub(in crate::store) type RawLimits = (Option<i64>, Option<String>, Option<String>);

/// The types of [`RawLimits`].
pub(in crate::store) type LimitColumns = (Nullable<BigInt>, Nullable<Text>, Nullable<Text>);

/// Converts the limits in the row of key `id`.
pub(in crate::store) fn limits(id: i64, raw: RawLimits) -> Result<KeyLimits, StoreError> {
    let (most, from, until) = raw;
    let time = |text: Option<String>| text.map(|text| text.parse()).transpose();
    let time = |text| time(text).map_err(|error: TimeError| corrupt("key", id, &error));
    let most = most.map(MaxSignatures::try_from).transpose().map_err(|error| corrupt("key", id, &error))?;
    Ok(KeyLimits { max_signatures: most, not_before: time(from)?, not_after: time(until)? })
}

/// The columns fingerprint, public_key, custody, sealed_key and location of a key.
pub(in crate::store) type RawStoredKey = (String, Vec<u8>, String, Option<Vec<u8>>, Option<String>);

/// Converts a raw row into a [`StoredKey`].
pub(in crate::store) fn stored_key(id: KeyId, raw: RawStoredKey) -> Result<StoredKey, StoreError> {
    let (fingerprint, public_key, custody, sealed_key, location) = raw;
    let fingerprint = fingerprint.parse().map_err(|error| corrupt("key", id.0, &error))?;
    let material = KeyMaterial::from_columns(custody, sealed_key, location)
        .map_err(|error| corrupt("key", id.0, &error))?;
    Ok(StoredKey { id, fingerprint, public_key, material })
}

/// The types of [`RawStoredKey`].
pub(in crate::store) type StoredKeyColumns = (Text, Binary, Text, Nullable<Binary>, Nullable<Text>);

/// A record and its signature. The `external_id` comes as bytes, because SQLite stores texts that are not
/// UTF-8, and such a text must not stop an export.
#[derive(Queryable)]
pub(in crate::store) struct RawSigned {
    record: i64,
    external_id: Option<Vec<u8>>,
    payload: Vec<u8>,
    batch: Option<i64>,
    signature: Option<Vec<u8>>,
}

/// The columns of [`RawSigned`].
pub(in crate::store) type SignedColumns =
    (BigInt, Nullable<Binary>, Binary, Nullable<BigInt>, Nullable<Binary>);

/// How many records are read at a time, and how many bytes of them, whichever comes first.
const PAGE_ROWS: i64 = 512;
const PAGE_BYTES: usize = 4 << 20;

/// Reads `records` page by page: `read` gets the values of a statement (the first and the last id, and
/// how many rows at most), and answers what [`page`] makes of its rows.
///
/// Each page is read as a whole before it is shown, because the visitor may be slow, and a statement that goes
/// on for long keeps SQLite's log from being cut, and old versions of rows alive in PostgreSQL.
pub(in crate::store) fn read_pages(
    records: &Runs,
    read: impl Fn(&[Value<'_>; 3]) -> Result<Vec<RawSigned>, StoreError>,
    visit: &mut dyn FnMut(SignedRow<'_>),
) -> Result<(), StoreError> {
    for (first, last) in records.ranges() {
        let mut next = first.0;
        while next <= last.0 {
            let page = read(&[Value::Integer(next), Value::Integer(last.0), Value::Integer(PAGE_ROWS)])?;
            let Some(shown) = page.last() else { break };
            let behind = shown.record.checked_add(1);
            visit_signed(&page, visit);
            // No id follows the highest number.
            let Some(behind) = behind else { break };
            next = behind;
        }
    }
    Ok(())
}

/// Takes as many `rows` as make a page.
pub(in crate::store) fn page(
    rows: impl Iterator<Item = QueryResult<RawSigned>>,
) -> QueryResult<Vec<RawSigned>> {
    let (mut page, mut bytes) = (Vec::new(), 0);
    for row in rows {
        let row = row?;
        bytes += row.payload.len();
        page.push(row);
        if bytes >= PAGE_BYTES {
            break;
        }
    }
    Ok(page)
}

fn visit_signed(page: &[RawSigned], visit: &mut dyn FnMut(SignedRow<'_>)) {
    for row in page {
        visit(SignedRow {
            record: RecordId(row.record),
            external_id: row.external_id.as_deref().map(String::from_utf8_lossy).as_deref(),
            payload: &row.payload,
            signature: row.batch.map(BatchId).zip(row.signature.as_deref()),
        });
    }
}
