//! The states of keys.

use diesel::{
    Connection,
    query_dsl::methods::{ExecuteDsl, LoadQuery},
    result::Error,
};

use super::{
    checks::{corrupt, expect_rows},
    statement::{Bound, Sql, Value, execute, row},
};
use crate::{
    domain::{KeyId, KeyState},
    store::{KeyStateVerdict, StoreError},
};

/// Sets the state of a key, if [`KeyState::may_become`] allows it, within a transaction that is under way.
/// `StateOf` reads the current state by the key's id, and locks it.
pub(in crate::store) fn set_key_state<StateOf, C, E>(
    connection: &mut C,
    key: KeyId,
    state: KeyState,
    reason: Option<&str>,
) -> Result<KeyStateVerdict, E>
where
    StateOf: Sql,
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, StateOf>: LoadQuery<'a, C, String>,
    for<'a> Bound<'a, SetState>: ExecuteDsl<C>,
{
    let Some(before) = row::<StateOf, String, _>(connection, &[Value::Integer(key.0)])? else {
        return Ok(KeyStateVerdict::NoSuchKey);
    };
    let before: KeyState = before.parse().map_err(|error| corrupt("key", key.0, &error))?;
    if !before.may_become(state) {
        return Ok(KeyStateVerdict::Refused(before));
    }
    let values = [Value::Text(state.name()), Value::OptionalText(reason), Value::Integer(key.0)];
    expect_rows("changing the state of a key", 1, execute::<SetState, _>(connection, &values)?)?;
    Ok(KeyStateVerdict::Changed(before))
}

/// See [`set_key_state`].
pub(in crate::store) struct SetState;
impl Sql for SetState {
    const TEXT: &'static str = "UPDATE signing_key SET state = ?, state_reason = ? WHERE id = ?";
    type Columns = ();
}
