//! The states of keys.

use diesel::{
    Connection,
    query_dsl::methods::{ExecuteDsl, LoadQuery},
    result::Error,
};

use super::{
    audit_log::{Change, note},
    checks::{corrupt, expect_rows},
    statement::{Bound, Sql, Value, execute, row},
};
use crate::{
    domain::{Action, By, KeyId, KeyState},
    store::{KeyStateVerdict, NewKey, StoreError},
};

/// Sets the state of a key, if [`KeyState::may_become`] allows it, within a transaction that is under way.
/// `StateOf` reads the fingerprint and the current state by the key's id, and locks it; `Insert` is as in [`note`].
pub(in crate::store) fn set_key_state<StateOf, Insert, C, E>(
    connection: &mut C,
    key: KeyId,
    state: KeyState,
    reason: Option<&str>,
    by: &By,
) -> Result<KeyStateVerdict, E>
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
        return Ok(KeyStateVerdict::NoSuchKey);
    };
    let before: KeyState = before.parse().map_err(|error| corrupt("key", key.0, &error))?;
    if !before.may_become(state) {
        return Ok(KeyStateVerdict::Refused(before));
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
    Ok(KeyStateVerdict::Changed(before))
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
    let after = format!("{}: {} bits, custody {}", KeyState::Active, key.bits, key.material.columns().0);
    let change = Change { action: Action::AddKey, object: &fingerprint, before: None, after: Some(&after) };
    note::<Insert, _, _>(connection, by, &change)
}

/// See [`set_key_state`].
pub(in crate::store) struct SetState;
impl Sql for SetState {
    const TEXT: &'static str = "UPDATE signing_key SET state = ?, state_reason = ? WHERE id = ?";
    type Columns = ();
}
