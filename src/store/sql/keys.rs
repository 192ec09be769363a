//! The states and the limits of keys.

use diesel::{
    Connection,
    query_dsl::methods::{ExecuteDsl, LoadQuery},
    result::Error,
    sql_types::{BigInt, Binary, Text},
};

use super::{
    audit_log::{Change, note},
    checks::{corrupt, expect_rows},
    reading::{RawLimits, limits},
    statement::{Bound, Sql, Value, execute, row, rows},
};
use crate::{
    domain::{Action, By, Fingerprint, KeyId, KeyLimits, KeyState, LimitChange, Time},
    store::{
        CertificatesVerdict, KeyLimitsVerdict, KeyStateVerdict, NewCertificates, NewKey, Reseal,
        ResealVerdict, StoreError,
    },
};

/// Sets the state of a key, if [`KeyState::may_become`] allows it, within a transaction that is under way.
/// `StateOf` reads the fingerprint and the current state by the key's id, and locks it; `Insert` is as in [`note`]. Also
/// returns the fingerprint of a key that is retired by this, which the ledger must say.
pub(in crate::store) fn set_key_state<StateOf, Insert, C, E>(
    connection: &mut C,
    key: KeyId,
    state: KeyState,
    reason: Option<&str>,
    by: &By,
) -> Result<(KeyStateVerdict, Option<String>), E>
where
    StateOf: Sql,
    Insert: Sql,
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, StateOf>: LoadQuery<'a, C, (String, String)>,
    for<'a> Bound<'a, SetState>: ExecuteDsl<C>,
    for<'a> Bound<'a, Insert>: ExecuteDsl<C>,
{
    let found: Option<(String, String)> = row::<StateOf, _, _>(connection, &[Value::Integer(key.0)])?;
    let Some((fingerprint, before)) = found else {
        return Ok((KeyStateVerdict::NoSuchKey, None));
    };
    let before: KeyState = before.parse().map_err(|error| corrupt("key", key.0, &error))?;
    if !before.may_become(state) {
        return Ok((KeyStateVerdict::Refused(before), None));
    }
    let values = [Value::Text(state.name()), Value::OptionalText(reason), Value::Integer(key.0)];
    expect_rows("changing the state of a key", 1, execute::<SetState, _>(connection, &values)?)?;
    let after = reason.map_or(state.name().to_owned(), |reason| format!("{state}: {reason}"));
    let change = Change {
        action: Action::SetKeyState,
        object: &fingerprint,
        before: Some(before.name()),
        after: Some(&after),
    };
    note::<Insert, _, E>(connection, by, &change)?;
    let is_retired = state == KeyState::Retired && before != state;
    Ok((KeyStateVerdict::Changed(before), is_retired.then_some(fingerprint)))
}

/// Sets limits of a key, if [`KeyLimits::changed`] allows them, within a transaction that is under way, while no batch is
/// being leased. `StateOf` and `Insert` are as in [`set_key_state`]. `UseOf` reads the limits, the signature count, and the
/// number of records that are leased with the key. `SetLimits` sets the three limits by the key's id.
///
/// [`KeyLimits::changed`]: crate::domain::KeyLimits::changed
pub(in crate::store) fn set_key_limits<StateOf, UseOf, SetLimits, Insert, C, E>(
    connection: &mut C,
    key: KeyId,
    change: &LimitChange,
    by: &By,
) -> Result<KeyLimitsVerdict, E>
where
    StateOf: Sql,
    UseOf: Sql,
    SetLimits: Sql,
    Insert: Sql,
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, StateOf>: LoadQuery<'a, C, (String, String)>,
    for<'a> Bound<'a, UseOf>: LoadQuery<'a, C, (RawLimits, i64, i64)>,
    for<'a> Bound<'a, SetLimits>: ExecuteDsl<C>,
    for<'a> Bound<'a, Insert>: ExecuteDsl<C>,
{
    let id = [Value::Integer(key.0)];
    let Some((fingerprint, state)) = row::<StateOf, (String, String), _>(connection, &id)? else {
        return Ok(KeyLimitsVerdict::NoSuchKey);
    };
    let state: KeyState = state.parse().map_err(|error| corrupt("key", key.0, &error))?;
    let found: Option<(RawLimits, i64, i64)> = row::<UseOf, _, _>(connection, &id)?;
    let Some((raw, stored, leased)) = found else { return Ok(KeyLimitsVerdict::NoSuchKey) };
    let before = limits(key.0, raw)?;
    let after = match before.changed(change, state, stored, leased) {
        Ok(after) => after,
        Err(refusal) => return Ok(KeyLimitsVerdict::Refused(refusal)),
    };
    let (from, until) = limit_texts(&after);
    let values = [
        Value::OptionalInteger(after.max_signatures.map(|most| most.get())),
        Value::OptionalText(from.as_deref()),
        Value::OptionalText(until.as_deref()),
        Value::Integer(key.0),
    ];
    expect_rows("setting the limits of a key", 1, execute::<SetLimits, _>(connection, &values)?)?;
    let change = Change {
        action: Action::SetKeyLimits,
        object: &fingerprint,
        before: Some(&before.to_string()),
        after: Some(&after.to_string()),
    };
    note::<Insert, _, E>(connection, by, &change)?;
    Ok(KeyLimitsVerdict::Set(after))
}

/// The times not_before and not_after of a key, as both databases read them.
pub(in crate::store) fn limit_texts(limits: &KeyLimits) -> (Option<String>, Option<String>) {
    let text = |time: Option<Time>| time.map(|time| time.to_string());
    (text(limits.not_before), text(limits.not_after))
}

/// Sets or removes the certificates of a key, within a transaction that is under way. `StateOf` and `Insert` are as in
/// [`set_key_state`].
pub(in crate::store) fn set_certificates<StateOf, Insert, C, E>(
    connection: &mut C,
    key: KeyId,
    certificates: Option<&NewCertificates>,
    by: &By,
) -> Result<CertificatesVerdict, E>
where
    StateOf: Sql,
    Insert: Sql,
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, StateOf>: LoadQuery<'a, C, (String, String)>,
    for<'a> Bound<'a, Certificates>: LoadQuery<'a, C, (i64, Vec<u8>)>,
    for<'a> Bound<'a, SetCertificates>: ExecuteDsl<C>,
    for<'a> Bound<'a, Insert>: ExecuteDsl<C>,
{
    let id = [Value::Integer(key.0)];
    let Some((fingerprint, _)) = row::<StateOf, (String, String), _>(connection, &id)? else {
        return Ok(CertificatesVerdict::NoSuchKey);
    };
    let only = [Value::OptionalInteger(Some(key.0))];
    let before: Option<(i64, Vec<u8>)> = row::<Certificates, _, _>(connection, &only)?;
    if before.is_none() && certificates.is_none() {
        return Ok(CertificatesVerdict::HadNone);
    }
    let chain = certificates.map(|new| new.chain.as_slice());
    let values = [Value::OptionalBlob(chain), Value::Integer(key.0)];
    expect_rows("setting the certificates of a key", 1, execute::<SetCertificates, _>(connection, &values)?)?;
    let before =
        before.map_or("none".to_owned(), |(_, chain)| format!("certificates of {} bytes", chain.len()));
    let change = Change {
        action: Action::SetKeyCertificates,
        object: &fingerprint,
        before: Some(&before),
        after: Some(certificates.map_or("none", |new| &new.summary)),
    };
    note::<Insert, _, E>(connection, by, &change)?;
    Ok(CertificatesVerdict::Set)
}

/// Writes the addition of a key to the audit log.
pub(in crate::store) fn note_added_key<Insert, C, E>(
    connection: &mut C,
    key: &NewKey,
    by: &By,
) -> Result<(), E>
where
    Insert: Sql,
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, Insert>: ExecuteDsl<C>,
{
    let fingerprint = key.fingerprint.to_string();
    let mut after = format!("{}: {} bits, custody {}", KeyState::Active, key.bits, key.material.columns().0);
    if key.limits != KeyLimits::default() {
        after += &format!(", limits: {}", key.limits);
    }
    let change = Change { action: Action::AddKey, object: &fingerprint, before: None, after: Some(&after) };
    note::<Insert, _, _>(connection, by, &change)
}

/// Reseals keys, within a transaction that is under way: see [`KeyPool::reseal_keys`]. `replace` stores sealed private
/// halves by the ids of their keys; `Insert` is as in [`note`].
///
/// [`KeyPool::reseal_keys`]: crate::store::KeyPool::reseal_keys
pub(in crate::store) fn reseal_keys<Insert, C, E>(
    connection: &mut C,
    master_key: &str,
    reseal: &mut dyn FnMut(&Fingerprint, &[u8]) -> Reseal,
    by: &By,
    replace: impl FnOnce(&mut C, &[(i64, Vec<u8>)]) -> Result<(), E>,
) -> Result<ResealVerdict, E>
where
    Insert: Sql,
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, SealedKeys>: LoadQuery<'a, C, (i64, String, Vec<u8>)>,
    for<'a> Bound<'a, Insert>: ExecuteDsl<C>,
{
    let (mut replacements, mut kept) = (Vec::new(), 0);
    let sealed: Vec<(i64, String, Vec<u8>)> = rows::<SealedKeys, _, _>(connection, &[])?;
    for (id, fingerprint, sealed) in sealed {
        let fingerprint = fingerprint.parse().map_err(|error| corrupt("key", id, &error))?;
        match reseal(&fingerprint, &sealed) {
            Reseal::Keep => kept += 1,
            Reseal::Replace(sealed) => replacements.push((id, sealed)),
            Reseal::Refuse => return Ok(ResealVerdict::Refused(KeyId(id))),
        }
    }
    let replaced = replacements.len();
    if replaced > 0 {
        replace(connection, &replacements)?;
        let after = format!("{replaced} keys resealed");
        let change =
            Change { action: Action::RotateMasterKey, object: master_key, before: None, after: Some(&after) };
        note::<Insert, _, E>(connection, by, &change)?;
    }
    Ok(ResealVerdict::Done { replaced, kept })
}

/// The columns id and certificates of the keys that have some: of one key, or of all.
pub(in crate::store) struct Certificates;
impl Sql for Certificates {
    const TEXT: &'static str = "SELECT id, certificates FROM signing_key WHERE certificates IS NOT NULL AND id = coalesce(?, id) ORDER BY id";
    type Columns = (BigInt, Binary);
}

/// See [`set_certificates`].
pub(in crate::store) struct SetCertificates;
impl Sql for SetCertificates {
    const TEXT: &'static str = "UPDATE signing_key SET certificates = ? WHERE id = ?";
    type Columns = ();
}

/// The columns id, fingerprint and sealed_key of the sealed keys.
pub(in crate::store) struct SealedKeys;
impl Sql for SealedKeys {
    const TEXT: &'static str =
        "SELECT id, fingerprint, sealed_key FROM signing_key WHERE sealed_key IS NOT NULL ORDER BY id";
    type Columns = (BigInt, Text, Binary);
}

/// See [`set_key_state`].
pub(in crate::store) struct SetState;
impl Sql for SetState {
    const TEXT: &'static str = "UPDATE signing_key SET state = ?, state_reason = ? WHERE id = ?";
    type Columns = ();
}

/// Retires the key with a fingerprint.
pub(in crate::store) struct RetireKey;
impl Sql for RetireKey {
    const TEXT: &'static str =
        "UPDATE signing_key SET state = 'retired' WHERE fingerprint = ? AND state <> 'retired'";
    type Columns = ();
}
