//! Checking the database itself: is the schema, which enforces the promises, still as the migrations made it?

use std::collections::BTreeMap;

use diesel::{
    Connection, SqliteConnection,
    sql_types::{BigInt, Nullable, Text},
};

use super::{SqliteStore, errors::Failure, limit::without_limit, migrations::run_pending};
use crate::store::{
    Audit, Counts, StoreError,
    sql::{AuditSpan, CountColumns, RawCounts, Sql, missing_rows, row, rows},
};

impl Audit for SqliteStore {
    fn counts(&self) -> Result<Counts, StoreError> {
        self.query(|connection| {
            Ok(row::<RealCounts, RawCounts, _>(connection, &[])?.unwrap_or_default().into())
        })
    }

    fn audit(&self) -> Result<Vec<String>, StoreError> {
        let expected = expected_schema().map_err(|failure| failure.0)?;
        self.read(|connection| {
            let mut problems = compare(&expected, &schema(connection)?);
            problems.extend(integrity(connection)?);
            problems.extend(audit_log(connection)?);
            Ok(problems)
        })
    }
}

/// Without its table there is no log to look at, and the lack has been named.
fn audit_log(connection: &mut SqliteConnection) -> Result<Option<String>, Failure> {
    match row::<AuditSpan, (i64, i64), _>(connection, &[]) {
        Ok(span) => Ok(span.and_then(missing_rows)),
        Err(error) => match Failure::from(error) {
            Failure(StoreError::Other(_) | StoreError::Corrupt(_)) => Ok(None),
            failure => Err(failure),
        },
    }
}

/// Damage to the file may end the checks themselves, which is a finding too.
fn integrity(connection: &mut SqliteConnection) -> Result<Vec<String>, Failure> {
    match damage(connection).and_then(|damage| Ok([damage, orphans(connection)?].concat())) {
        Err(Failure(StoreError::Corrupt(problem))) => Ok(vec![format!("integrity: {problem}")]),
        other => other,
    }
}

fn damage(connection: &mut SqliteConnection) -> Result<Vec<String>, Failure> {
    let lines: Vec<String> = rows::<QuickCheck, _, _>(connection, &[])?;
    Ok(lines.into_iter().filter(|line| line != "ok").map(|line| format!("integrity: {line}")).collect())
}

fn orphans(connection: &mut SqliteConnection) -> Result<Vec<String>, Failure> {
    let orphans: Vec<(String, Option<i64>, String)> = rows::<OrphanCheck, _, _>(connection, &[])?;
    let sentence = |(table, row, parent): (String, Option<i64>, String)| {
        format!("{table} {} refers to a {parent} that does not exist", row.unwrap_or_default())
    };
    Ok(orphans.into_iter().map(sentence).collect())
}

/// Kind and name of each object of a schema, with the SQL that made it.
type Schema = BTreeMap<(String, String), String>;

/// What the migrations make.
fn expected_schema() -> Result<Schema, Failure> {
    let mut fresh = SqliteConnection::establish(":memory:")
        .map_err(|error| Failure(StoreError::Other(error.to_string())))?;
    run_pending(&mut fresh)?;
    schema(&mut fresh)
}

fn schema(connection: &mut SqliteConnection) -> Result<Schema, Failure> {
    let objects: Vec<(String, String, Option<String>)> = rows::<Objects, _, _>(connection, &[])?;
    let object = |(kind, name, sql): (String, String, Option<String>)| {
        let sql = without_limit(&name, sql.unwrap_or_default());
        ((kind, name), sql)
    };
    Ok(objects.into_iter().map(object).collect())
}

/// Additional objects may be the user's, except a trigger, which can change what is stored.
fn compare(expected: &Schema, found: &Schema) -> Vec<String> {
    let lacking =
        expected.iter().filter_map(|((kind, name), sql)| match found.get(&(kind.clone(), name.clone())) {
            None => Some(format!("{kind} '{name}' is missing")),
            Some(found) if found != sql => Some(format!("{kind} '{name}' was changed")),
            Some(_) => None,
        });
    let strange = found
        .keys()
        .filter(|object| object.0 == "trigger" && !expected.contains_key(object))
        .map(|(_, name)| format!("trigger '{name}' is not Sign Wave's"));
    lacking.chain(strange).collect()
}

struct RealCounts;
impl Sql for RealCounts {
    const TEXT: &'static str = "SELECT (SELECT count(*) FROM record), (SELECT count(*) FROM signature), \
         (SELECT count(*) FROM batch), (SELECT count(*) FROM record \
         WHERE id > coalesce((SELECT max(last_record) FROM batch), 0)), \
         (SELECT coalesce(sum(record_count - absent), 0) FROM batch), \
         (SELECT coalesce(sum(record_count), 0) FROM batch WHERE state = 'signed'), \
         (SELECT coalesce(sum(record_count - absent), 0) FROM batch WHERE state = 'lost')";
    type Columns = CountColumns;
}

struct Objects;
impl Sql for Objects {
    const TEXT: &'static str =
        "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite@_%' ESCAPE '@'";
    type Columns = (Text, Text, Nullable<Text>);
}

struct QuickCheck;
impl Sql for QuickCheck {
    const TEXT: &'static str = "PRAGMA quick_check";
    type Columns = Text;
}

/// Leaves out `signature`, because the check of the signatures already looks up the record and the batch of
/// each one.
struct OrphanCheck;
impl Sql for OrphanCheck {
    const TEXT: &'static str = "SELECT orphan.\"table\", orphan.rowid, orphan.parent \
         FROM sqlite_master AS child, pragma_foreign_key_check(child.name) AS orphan \
         WHERE child.type = 'table' AND child.name <> 'signature'";
    type Columns = (Text, Nullable<BigInt>, Text);
}
