//! The key pool.

use diesel::sql_types::{BigInt, Text};

use super::{PostgresStore, audit_log::InsertAudit, errors::Failure, transaction::Turn};
use crate::{
    domain::{By, KeyId, KeyState},
    store::{
        AddKeyVerdict, KeyPool, KeyStateVerdict, NewKey, StoreError, StoredKey,
        sql::{
            RawStoredKey, Sql, StoredKeyColumns, Value, expect_rows, note_added_key, row, set_key_state,
            stored_key,
        },
    },
};

impl KeyPool for PostgresStore {
    fn add_key(&self, key: &NewKey, by: &By) -> Result<AddKeyVerdict, StoreError> {
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
        self.write_in_turn(Turn::Audit, |connection| {
            if let Some(id) = row::<InsertKey, i64, _>(connection, &values)? {
                note_added_key::<InsertAudit, _, Failure>(connection, key, by)?;
                return Ok(AddKeyVerdict::Added(KeyId(id)));
            }
            let found = row::<FindKey, i64, _>(connection, &values[..1])?;
            expect_rows("adding a key", 1, usize::from(found.is_some()))?;
            Ok(AddKeyVerdict::AlreadyThere(KeyId(found.unwrap_or_default())))
        })
    }

    fn stored_key(&self, key: KeyId) -> Result<Option<StoredKey>, StoreError> {
        self.query(|connection| {
            let found: Option<RawStoredKey> = row::<OneKey, _, _>(connection, &[Value::Integer(key.0)])?;
            Ok(found.map(|raw| stored_key(key, raw)).transpose()?)
        })
    }

    fn set_key_state(
        &self,
        key: KeyId,
        state: KeyState,
        reason: Option<&str>,
        by: &By,
    ) -> Result<KeyStateVerdict, StoreError> {
        // What if we die here? The state has changed or it has not; asking again is harmless.
        self.write_in_turn(Turn::Audit, |connection| {
            set_key_state::<StateOf, InsertAudit, _, _>(connection, key, state, reason, by)
        })
    }
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

struct OneKey;
impl Sql for OneKey {
    const TEXT: &'static str =
        "SELECT fingerprint, public_key, custody, sealed_key, location FROM signing_key WHERE id = ?";
    type Columns = StoredKeyColumns;
}

struct StateOf;
impl Sql for StateOf {
    const TEXT: &'static str = "SELECT fingerprint, state FROM signing_key WHERE id = ? FOR NO KEY UPDATE";
    type Columns = (Text, Text);
}
