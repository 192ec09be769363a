//! The key pool.

use diesel::{
    SqliteConnection,
    sql_types::{BigInt, Text},
};

use super::{SqliteStore, audit_log::InsertAudit, errors::Failure, ledger};
use crate::{
    domain::{By, Fingerprint, KeyId, KeyState, LimitChange, ledger::KeyChange},
    store::{
        AddKeyVerdict, CertificatesVerdict, KeyLimitsVerdict, KeyPool, KeyStateVerdict, NewCertificates,
        NewKey, Reseal, ResealVerdict, StoreError, StoredKey,
        sql::{
            LimitColumns, RawStoredKey, Sql, StoredKeyColumns, Value, execute, expect_rows, limit_texts,
            note_added_key, reseal_keys, row, set_certificates, set_key_limits, set_key_state, stored_key,
        },
    },
};

impl KeyPool for SqliteStore {
    fn add_key(&self, key: &NewKey, by: &By) -> Result<AddKeyVerdict, StoreError> {
        let fingerprint = key.fingerprint.to_string();
        let (custody, sealed_key, location) = key.material.columns();
        let (from, until) = limit_texts(&key.limits);
        // What if we die here? The key is there or it is not; adding it again says which.
        self.write_in_ledger(|connection, ledger| {
            if let Some(id) = row::<FindKey, i64, _>(connection, &[Value::Text(&fingerprint)])? {
                return Ok(AddKeyVerdict::AlreadyThere(KeyId(id)));
            }
            let values = [
                Value::Text(&fingerprint),
                Value::Blob(&key.public_key),
                Value::Integer(key.bits.into()),
                Value::Text(custody),
                Value::OptionalBlob(sealed_key),
                Value::OptionalText(location),
                Value::OptionalInteger(key.limits.max_signatures.map(|most| most.get())),
                Value::OptionalText(from.as_deref()),
                Value::OptionalText(until.as_deref()),
            ];
            let Some(id) = row::<InsertKey, i64, _>(connection, &values)? else {
                return Err(Failure(StoreError::RowCount { what: "adding a key", expected: 1, found: 0 }));
            };
            note_added_key::<InsertAudit, _, Failure>(connection, key, by)?;
            ledger::add_key(connection, ledger, KeyChange::Added, &fingerprint)?;
            Ok(AddKeyVerdict::Added(KeyId(id)))
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
        self.write_in_ledger(|connection, ledger| {
            let (verdict, retired) =
                set_key_state::<StateOf, InsertAudit, _, Failure>(connection, key, state, reason, by)?;
            if let Some(fingerprint) = retired {
                ledger::add_key(connection, ledger, KeyChange::Retired, &fingerprint)?;
            }
            Ok(verdict)
        })
    }

    fn set_key_limits(
        &self,
        key: KeyId,
        change: &LimitChange,
        by: &By,
    ) -> Result<KeyLimitsVerdict, StoreError> {
        // What if we die here? The limits have changed or they have not; asking again is harmless.
        self.write(|connection| {
            set_key_limits::<StateOf, UseOf, SetLimits, InsertAudit, _, _>(connection, key, change, by)
        })
    }

    fn set_certificates(
        &self,
        key: KeyId,
        certificates: Option<&NewCertificates>,
        by: &By,
    ) -> Result<CertificatesVerdict, StoreError> {
        // What if we die here? The certificates are there or they are not; asking again is harmless.
        self.write(|connection| {
            set_certificates::<StateOf, InsertAudit, _, _>(connection, key, certificates, by)
        })
    }

    fn reseal_keys(
        &self,
        master_key: &str,
        reseal: &mut dyn FnMut(&Fingerprint, &[u8]) -> Reseal,
        by: &By,
    ) -> Result<ResealVerdict, StoreError> {
        // What if we die here? Every key is replaced or none is, so each opens under the old or the new master key. Asking
        // again replaces the rest.
        self.write(|connection| reseal_keys::<InsertAudit, _, _>(connection, master_key, reseal, by, replace))
    }
}

fn replace(connection: &mut SqliteConnection, keys: &[(i64, Vec<u8>)]) -> Result<(), Failure> {
    keys.iter().try_for_each(|(id, sealed)| {
        let values = [Value::Blob(sealed), Value::Integer(*id)];
        Ok(expect_rows("resealing a key", 1, execute::<ReplaceSealed, _>(connection, &values)?)?)
    })
}

struct FindKey;
impl Sql for FindKey {
    const TEXT: &'static str = "SELECT id FROM signing_key WHERE fingerprint = ?";
    type Columns = BigInt;
}

struct InsertKey;
impl Sql for InsertKey {
    const TEXT: &'static str = "INSERT INTO signing_key (fingerprint, public_key, bits, custody, sealed_key, location, \
         max_signatures, not_before, not_after) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id";
    type Columns = BigInt;
}

struct OneKey;
impl Sql for OneKey {
    const TEXT: &'static str =
        "SELECT fingerprint, public_key, custody, sealed_key, location FROM signing_key WHERE id = ?";
    type Columns = StoredKeyColumns;
}

struct ReplaceSealed;
impl Sql for ReplaceSealed {
    const TEXT: &'static str = "UPDATE signing_key SET sealed_key = ? WHERE id = ?";
    type Columns = ();
}

struct StateOf;
impl Sql for StateOf {
    const TEXT: &'static str = "SELECT fingerprint, state FROM signing_key WHERE id = ?";
    type Columns = (Text, Text);
}

struct UseOf;
impl Sql for UseOf {
    const TEXT: &'static str = "SELECT max_signatures, not_before, not_after, signature_count, \
         coalesce((SELECT record_count FROM batch WHERE key_id = signing_key.id AND batch.state = 'leased'), 0) \
         FROM signing_key WHERE id = ?";
    type Columns = (LimitColumns, BigInt, BigInt);
}

struct SetLimits;
impl Sql for SetLimits {
    const TEXT: &'static str =
        "UPDATE signing_key SET max_signatures = ?, not_before = ?, not_after = ? WHERE id = ?";
    type Columns = ();
}
