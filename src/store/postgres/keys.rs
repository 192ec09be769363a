//! The key pool.

use data_encoding::HEXLOWER;
use diesel::{
    PgConnection,
    sql_types::{BigInt, Text},
};

use super::{
    PostgresStore,
    array::array,
    audit_log::InsertAudit,
    errors::Failure,
    ledger,
    time::time,
    transaction::{Turn, in_turn},
};
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

impl KeyPool for PostgresStore {
    fn add_key(&self, key: &NewKey, by: &By) -> Result<AddKeyVerdict, StoreError> {
        let fingerprint = key.fingerprint.to_string();
        let (custody, sealed_key, location) = key.material.columns();
        let (from, until) = limit_texts(&key.limits);
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
        // What if we die here? The key is there or it is not; adding it again says which.
        self.write_in_ledger(&in_turn(Turn::Audit), |connection| {
            if let Some(id) = row::<InsertKey, i64, _>(connection, &values)? {
                note_added_key::<InsertAudit, _, Failure>(connection, key, by)?;
                let entry = ledger::entry_of_key(connection, KeyChange::Added, &fingerprint)?;
                return Ok((AddKeyVerdict::Added(KeyId(id)), vec![entry]));
            }
            let found = row::<FindKey, i64, _>(connection, &values[..1])?;
            expect_rows("adding a key", 1, usize::from(found.is_some()))?;
            Ok((AddKeyVerdict::AlreadyThere(KeyId(found.unwrap_or_default())), Vec::new()))
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
        self.write_in_ledger(&in_turn(Turn::Audit), |connection| {
            let (verdict, retired) =
                set_key_state::<StateOf, InsertAudit, _, Failure>(connection, key, state, reason, by)?;
            let entry = retired.map(|key| ledger::entry_of_key(connection, KeyChange::Retired, &key));
            Ok((verdict, entry.transpose()?.into_iter().collect()))
        })
    }

    fn set_key_limits(
        &self,
        key: KeyId,
        change: &LimitChange,
        by: &By,
    ) -> Result<KeyLimitsVerdict, StoreError> {
        // What if we die here? The limits have changed or they have not; asking again is harmless.
        self.write_in_turn(Turn::AuditAndLease, |connection| {
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
        self.write_in_turn(Turn::Audit, |connection| {
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
        // again replaces the rest. Keys are added in the same turn, so none is missed.
        self.write_in_turn(Turn::Audit, |connection| {
            reseal_keys::<InsertAudit, _, _>(connection, master_key, reseal, by, replace)
        })
    }
}

/// Keys per statement: about 3 MB.
const RESEALED_AT_A_TIME: usize = 1000;

fn replace(connection: &mut PgConnection, keys: &[(i64, Vec<u8>)]) -> Result<(), Failure> {
    execute::<LockKeys, _>(connection, &[])?;
    keys.chunks(RESEALED_AT_A_TIME).try_for_each(|keys| replace_some(connection, keys))
}

fn replace_some(connection: &mut PgConnection, keys: &[(i64, Vec<u8>)]) -> Result<(), Failure> {
    let ids = array(keys.iter().map(|(id, _)| id));
    let sealed = array(keys.iter().map(|(_, sealed)| HEXLOWER.encode(sealed)));
    let values = [Value::Text(&ids), Value::Text(&sealed)];
    Ok(expect_rows("resealing keys", keys.len(), execute::<ReplaceSealed, _>(connection, &values)?)?)
}

/// Leases and commits update keys in any order. With a lock of the table, they wait for the end of a change of the master
/// key, instead of deadlocks between its rows and theirs.
struct LockKeys;
impl Sql for LockKeys {
    const TEXT: &'static str = "LOCK TABLE ONLY signing_key IN SHARE ROW EXCLUSIVE MODE";
    type Columns = ();
}

struct ReplaceSealed;
impl Sql for ReplaceSealed {
    const TEXT: &'static str = "UPDATE signing_key SET sealed_key = decode(sent.sealed, 'hex') \
         FROM unnest(?::text::bigint[], ?::text::text[]) AS sent (id, sealed) WHERE signing_key.id = sent.id";
    type Columns = ();
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
         VALUES (?, ?, ?::bigint, ?, ?, ?, ?, ?::text::timestamptz, ?::text::timestamptz) ON CONFLICT (fingerprint) DO NOTHING RETURNING id";
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

struct UseOf;
impl Sql for UseOf {
    const TEXT: &'static str = concat!(
        "SELECT max_signatures, ",
        time!("not_before"),
        ", ",
        time!("not_after"),
        ", signature_count, \
         coalesce((SELECT record_count FROM batch WHERE key_id = signing_key.id AND batch.state = 'leased'), 0) \
         FROM signing_key WHERE id = ?"
    );
    type Columns = (LimitColumns, BigInt, BigInt);
}

struct SetLimits;
impl Sql for SetLimits {
    const TEXT: &'static str = "UPDATE signing_key SET max_signatures = ?, not_before = ?::text::timestamptz, \
         not_after = ?::text::timestamptz WHERE id = ?";
    type Columns = ();
}
