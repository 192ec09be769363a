//! The schema's versions: what a database holds, bringing it up to date, taking it back.

use diesel::{
    PgConnection,
    connection::SimpleConnection,
    pg::Pg,
    sql_types::{BigInt, Bool, Text},
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{
    connection::{Checked, Purpose, connect_checked},
    errors::{Failure, classify_message},
    tables,
    transaction::{Turn, explained, write_in_turn_on},
};
use crate::store::{
    DatabaseUrl, StoreError,
    sql::{self, Sql, row, rows},
};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// See [`crate::store::migrate`].
pub(in crate::store) fn migrate(url: &str) -> Result<Vec<String>, StoreError> {
    let Checked { mut connection, .. } = connect_checked(url, Purpose::Write)?;
    refuse_others(&mut connection, url)?;
    // The schema is not touched when there is nothing to do, because the service need not own it.
    if is_current(&mut connection)? {
        return Ok(Vec::new());
    }
    // What if we die here? All that is missing is added in one transaction: run it again.
    write_in_turn_on(&mut connection, Turn::Migrate, |connection| {
        refuse_others(connection, url)?;
        let versions = connection.run_pending_migrations(MIGRATIONS).map_err(migration_failure)?;
        Ok(versions.iter().map(|version| name_of(&version.to_string())).collect())
    })
}

/// See [`crate::store::revert`].
pub(in crate::store) fn revert(url: &str) -> Result<String, StoreError> {
    let Checked { mut connection, .. } = connect_checked(url, Purpose::Write)?;
    write_in_turn_on(&mut connection, Turn::Migrate, |connection| {
        refuse_others(connection, url)?;
        if applied(connection)?.is_empty() {
            return Err(StoreError::Refused("there is no migration to revert".to_owned()).into());
        }
        refuse_under_nodes(connection)?;
        let version = connection.revert_last_migration(MIGRATIONS).map_err(migration_failure)?;
        Ok(name_of(&version.to_string()))
    })
}

/// Reverting the schema, or accepting a restore, under a node that signs would lose what that node has signed and not stored. Nodes that
/// start now wait until the revert has ended, and then find no schema.
pub(super) fn refuse_under_nodes(connection: &mut PgConnection) -> Result<(), Failure> {
    if !row::<HasNodes, bool, _>(connection, &[])?.unwrap_or(false) {
        return Ok(());
    }
    connection.batch_execute("LOCK TABLE node IN ACCESS EXCLUSIVE MODE")?;
    match rows::<LivingNodes, (i64, String), _>(connection, &[])?.as_slice() {
        [] => Ok(()),
        [(id, name), ..] => Err(StoreError::Refused(format!(
            "node {id} ({}) is at work, or its lease has not run out yet: stop all nodes first",
            name.replace(char::is_control, " ")
        ))
        .into()),
    }
}

/// Accepts a database of exactly this version.
pub(super) fn check_version(connection: &mut PgConnection, url: &str) -> Result<(), StoreError> {
    let found = refuse_others(connection, url).and_then(|()| is_current(connection));
    if found.map_err(|failure| explained(connection, failure))? {
        Ok(tables::check(connection)?)
    } else if applied(connection)?.is_empty() {
        if let Some(elsewhere) = tables::elsewhere(connection)? {
            return Err(elsewhere);
        }
        Err(StoreError::NotFound(DatabaseUrl::Postgres(url.to_owned()).to_string()))
    } else {
        Err(StoreError::OlderSchema)
    }
}

/// Refuses a database of a newer version, and tables of others. An empty one may become ours.
///
/// The table is looked for first: one that another process makes right now comes together with its version.
fn refuse_others(connection: &mut PgConnection, url: &str) -> Result<(), Failure> {
    let has_record = row::<HasRecord, bool, _>(connection, &[])?.unwrap_or(false);
    let (applied, known) = (applied(connection)?, known());
    if let Some(unknown) = applied.iter().find(|version| !known.iter().any(|(known, _)| known == *version)) {
        return Err(StoreError::NewerSchema(unknown.clone()).into());
    }
    if applied.is_empty() && has_record {
        return Err(StoreError::NotADatabase(DatabaseUrl::Postgres(url.to_owned()).to_string()).into());
    }
    Ok(())
}

/// Whether every migration was run.
fn is_current(connection: &mut PgConnection) -> Result<bool, Failure> {
    let applied = applied(connection)?;
    Ok(known().iter().all(|(version, _)| applied.contains(version)))
}

fn known() -> Vec<(String, String)> {
    sql::known::<Pg>(&MIGRATIONS)
}

fn name_of(version: &str) -> String {
    known().into_iter().find(|(known, _)| known == version).map_or(version.to_owned(), |(_, name)| name)
}

fn applied(connection: &mut PgConnection) -> Result<Vec<String>, Failure> {
    match row::<HasVersions, bool, _>(connection, &[])? {
        Some(true) => Ok(rows::<Versions, _, _>(connection, &[])?),
        _ => Ok(Vec::new()),
    }
}

struct HasVersions;
impl Sql for HasVersions {
    const TEXT: &'static str = "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL";
    type Columns = Bool;
}

struct HasNodes;
impl Sql for HasNodes {
    const TEXT: &'static str = "SELECT to_regclass('node') IS NOT NULL";
    type Columns = Bool;
}

struct LivingNodes;
impl Sql for LivingNodes {
    const TEXT: &'static str =
        "SELECT id, name FROM node WHERE lease_until > clock_timestamp() ORDER BY id LIMIT 1";
    type Columns = (BigInt, Text);
}

struct Versions;
impl Sql for Versions {
    const TEXT: &'static str = "SELECT version::text FROM __diesel_schema_migrations ORDER BY version";
    type Columns = Text;
}

struct HasRecord;
impl Sql for HasRecord {
    const TEXT: &'static str = "SELECT to_regclass('record') IS NOT NULL OR to_regclass('batch') IS NOT NULL";
    type Columns = Bool;
}

/// Diesel boxes the error of a migration in a private type.
fn migration_failure(error: Box<dyn std::error::Error + Send + Sync>) -> Failure {
    let text = error.to_string();
    match classify_message(text.rsplit_once(" with: ").map_or(text.as_str(), |(_, message)| message)) {
        StoreError::Other(text) => Failure::Unforeseen(text),
        ours => Failure::Store(ours),
    }
}
