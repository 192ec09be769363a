//! The largest payload that the schema takes: a constraint, which is recreated when the limit changes.

use diesel::{
    PgConnection,
    connection::SimpleConnection,
    sql_types::{Integer, Nullable},
};

use super::{
    connection::{Checked, Purpose, connect_checked},
    errors::Failure,
    migrations::check_version,
    transaction::{Turn, write_in_turn_on},
};
use crate::store::{
    StoreError,
    sql::{Sql, row},
};

/// See [`crate::store::Intake::payload_limit`].
pub(super) fn payload_limit(connection: &mut PgConnection) -> Result<u32, Failure> {
    let limit =
        row::<Limit, Option<i32>, _>(connection, &[])?.flatten().and_then(|bytes| u32::try_from(bytes).ok());
    limit.ok_or_else(|| {
        StoreError::Refused(
            "the constraint that limits payloads, record_payload_is_within_its_limit, is missing or was changed: \
             set the limit with 'signwave migrate --max-payload'"
                .to_owned(),
        )
        .into()
    })
}

/// See [`crate::store::set_payload_limit`].
pub(in crate::store) fn set_payload_limit(url: &str, bytes: u32) -> Result<(), StoreError> {
    let Checked { mut connection, .. } = connect_checked(url, Purpose::Write)?;
    check_version(&mut connection, url)?;
    // What if we die here? The old limit stands, or the new one: DDL is part of the transaction.
    write_in_turn_on(&mut connection, Turn::Migrate, |connection| {
        // NOT VALID, because stored records stay, even larger ones.
        Ok(connection.batch_execute(&format!(
            "ALTER TABLE record DROP CONSTRAINT IF EXISTS record_payload_is_within_its_limit, \
             ADD CONSTRAINT record_payload_is_within_its_limit CHECK (octet_length(payload) <= {bytes}) NOT VALID"
        ))?)
    })
}

/// Reads the limit only from a constraint of exactly this form.
struct Limit;
impl Sql for Limit {
    const TEXT: &'static str = "SELECT substring(pg_get_constraintdef(oid) \
         from '^CHECK \\(\\(octet_length\\(payload\\) <= (\\d{1,9})\\)\\)( NOT VALID)$')::integer \
         FROM pg_constraint WHERE conrelid = 'record'::regclass AND conname = 'record_payload_is_within_its_limit'";
    type Columns = Nullable<Integer>;
}
