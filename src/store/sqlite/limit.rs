//! The largest payload that the schema takes: a trigger, which is recreated when the limit changes.

use std::path::Path;

use diesel::{SqliteConnection, connection::SimpleConnection, sql_types::Text};

use super::{
    connection::Access,
    errors::Failure,
    migrations::{check_version, on_file},
    transaction::write_on,
};
use crate::store::{
    StoreError,
    sql::{Sql, row},
};

const TRIGGER: &str = "record_payload_is_within_its_limit";
/// As in the migration.
const DEFAULT: &str = "16777216";
const MIGRATION: &str = include_str!("../../../migrations/sqlite/2026-11-22-090100_guards/up.sql");

/// See [`crate::store::Intake::payload_limit`].
pub(super) fn payload_limit(connection: &mut SqliteConnection) -> Result<u32, Failure> {
    let made: Option<String> = row::<Made, _, _>(connection, &[])?;
    made.as_deref().and_then(limit_of).ok_or_else(|| {
        Failure(StoreError::Refused(
            "the trigger that limits payloads, record_payload_is_within_its_limit, is missing or was changed: \
             set the limit with 'signwave migrate --max-payload'"
                .to_owned(),
        ))
    })
}

/// See [`crate::store::set_payload_limit`].
pub(in crate::store) fn set_payload_limit(path: &Path, bytes: u32) -> Result<(), StoreError> {
    on_file(path, Access::Write, |connection| {
        check_version(connection)?;
        // What if we die here? The old limit stands, or the new one.
        Ok(write_on(connection, |connection| {
            let made = of_migration().replace(DEFAULT, &bytes.to_string());
            Ok(connection.batch_execute(&format!("DROP TRIGGER IF EXISTS {TRIGGER}; {made}"))?)
        })?)
    })
}

/// The statement of the migration that makes the trigger.
fn of_migration() -> &'static str {
    let begun =
        MIGRATION.split_once(&format!("CREATE TRIGGER {TRIGGER}")).map_or(0, |(before, _)| before.len());
    let rest = &MIGRATION[begun..];
    rest.split_once("\nEND;").map_or(rest, |(statement, _)| &rest[..statement.len() + "\nEND".len()])
}

/// The limit of a trigger that differs from the migration's only in the number.
pub(super) fn limit_of(made: &str) -> Option<u32> {
    let number = made.split_once("> ")?.1.split(' ').next()?;
    let limit = number.parse().ok()?;
    (made == of_migration().replace(DEFAULT, number)).then_some(limit)
}

/// The same statement whatever its limit is, for comparing schemas.
pub(super) fn without_limit(name: &str, made: String) -> String {
    if name == TRIGGER && limit_of(&made).is_some() { of_migration().to_owned() } else { made }
}

struct Made;
impl Sql for Made {
    const TEXT: &'static str = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = 'record_payload_is_within_its_limit'";
    type Columns = Text;
}
