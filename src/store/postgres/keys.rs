//! The key pool.

use diesel::sql_types::{BigInt, Text};

use super::PostgresStore;
use crate::{
    domain::{KeyId, KeyState},
    store::{
        AddKeyVerdict, KeyRow, KeyStateVerdict, NewKey, StoreError, StoredKey,
        sql::{
            KeyColumns, RawKey, RawStoredKey, Sql, StoredKeyColumns, Value, expect_rows, key_row, row, rows,
            set_key_state, stored_key,
        },
    },
};

/// See [`crate::store::Store::add_key`].
pub(super) fn add(store: &PostgresStore, key: &NewKey) -> Result<AddKeyVerdict, StoreError> {
    let fingerprint = key.fingerprint.to_string();
    let (custody, sealed_key, location) = key.material.columns();
    let values = [
        Value::Text(&fingerprint),
        Value::Blob(&key.public_key),
        Value::Integer(key.bits.into()),
        Value::Text(custody),
        Value::OptionalBlob(sealed_key),
        Value::OptionalText(location),
    ];
    // What if we die here? The key is there or it is not; adding it again says which.
    store.write(|connection| {
        if let Some(id) = row::<InsertKey, i64, _>(connection, &values)? {
            return Ok(AddKeyVerdict::Added(KeyId(id)));
        }
        let found = row::<FindKey, i64, _>(connection, &values[..1])?;
        expect_rows("adding a key", 1, usize::from(found.is_some()))?;
        Ok(AddKeyVerdict::AlreadyThere(KeyId(found.unwrap_or_default())))
    })
}

/// See [`crate::store::Store::keys`].
pub(super) fn keys(store: &PostgresStore) -> Result<Vec<KeyRow>, StoreError> {
    store.query(|connection| {
        let rows: Vec<RawKey> = rows::<AllKeys, _, _>(connection, &[])?;
        Ok(rows.into_iter().map(key_row).collect::<Result<_, _>>()?)
    })
}

/// See [`crate::store::Store::stored_key`].
pub(super) fn stored(store: &PostgresStore, key: KeyId) -> Result<Option<StoredKey>, StoreError> {
    store.query(|connection| {
        let found: Option<RawStoredKey> = row::<OneKey, _, _>(connection, &[Value::Integer(key.0)])?;
        Ok(found.map(|raw| stored_key(key, raw)).transpose()?)
    })
}

/// See [`crate::store::Store::set_key_state`].
pub(super) fn set_state(
    store: &PostgresStore,
    key: KeyId,
    state: KeyState,
    reason: Option<&str>,
) -> Result<KeyStateVerdict, StoreError> {
    // What if we die here? The state has changed or it has not; asking again is harmless.
    store.write(|connection| set_key_state::<StateOf, _, _>(connection, key, state, reason))
}

struct FindKey;
impl Sql for FindKey {
    const TEXT: &'static str = "SELECT id FROM signing_key WHERE fingerprint = ?";
    type Columns = BigInt;
}

struct InsertKey;
impl Sql for InsertKey {
    const TEXT: &'static str = "INSERT INTO signing_key (fingerprint, public_key, bits, custody, sealed_key, location) \
         VALUES (?, ?, ?::bigint, ?, ?, ?) ON CONFLICT (fingerprint) DO NOTHING RETURNING id";
    type Columns = BigInt;
}

struct AllKeys;
impl Sql for AllKeys {
    const TEXT: &'static str = "SELECT id, fingerprint, public_key, bits, state, state_reason, \
         (SELECT batch.id FROM batch WHERE batch.key_id = signing_key.id AND batch.state = 'leased'), \
         last_leased, signature_count, \
         to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') FROM signing_key ORDER BY signing_key.id";
    type Columns = KeyColumns;
}

struct OneKey;
impl Sql for OneKey {
    const TEXT: &'static str =
        "SELECT fingerprint, public_key, custody, sealed_key, location FROM signing_key WHERE id = ?";
    type Columns = StoredKeyColumns;
}

struct StateOf;
impl Sql for StateOf {
    const TEXT: &'static str = "SELECT state FROM signing_key WHERE id = ? FOR NO KEY UPDATE";
    type Columns = Text;
}
