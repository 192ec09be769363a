//! Checking the database itself: is the schema, which enforces the promises, still as the migrations made it?
//!
//! Everything here is read from the system catalogs, which everybody may read, in a transaction that cannot
//! write, so an auditor needs no right but SELECT.

use diesel::{
    PgConnection, Queryable,
    sql_types::{BigInt, Bool, Text},
};

use super::{PostgresStore, errors::Failure, expected::Schema};
use crate::store::{
    Audit, Counts, StoreError,
    sql::{AuditSpan, CountColumns, RawCounts, Sql, Value, missing_rows, row, rows},
};

impl Audit for PostgresStore {
    fn counts(&self) -> Result<Counts, StoreError> {
        self.long_query(|connection| {
            Ok(row::<RealCounts, RawCounts, _>(connection, &[])?.unwrap_or_default().into())
        })
    }

    fn audit(&self) -> Result<Vec<String>, StoreError> {
        let expected = Schema::of_migrations();
        let relations = expected.relations();
        let relations = [Value::Text(&relations)];
        self.read(|connection| {
            let mut problems = subscriptions(connection)?;
            let is_copy = !problems.is_empty();
            let found = rows::<Objects, String, _>(connection, &relations)?;
            let found = Schema::read(found.iter().map(String::as_str));
            problems.extend(expected.differences(&found));
            // Without its table there is no log to look at, and a statement that fails would end the snapshot.
            if found.has_table("api_audit") {
                let span = row::<AuditSpan, (i64, i64), _>(connection, &[])?;
                problems.extend(span.and_then(missing_rows));
            }
            // The position of the sequence of records matters too. On a copy it is set when the copy takes
            // over.
            if !is_copy && let Err(problem) = check_sequence(connection) {
                problems.retain(|problem| !problem.starts_with("the sequence of record.id: its definition"));
                problems.push(StoreError::from(problem).to_string());
            }
            Ok(problems)
        })
    }
}

/// Refuses a database in which nothing may be signed. The check is cheap, and runs once, when a node registers.
///
/// The guards of a copy that logical replication feeds do not check the rows that arrive. While the copy is
/// fed, its origin signs, and a node here would sign the same records again. Subscriptions are checked first,
/// because the sequence of such a copy must not be repaired.
pub(super) fn check_may_sign(connection: &mut PgConnection) -> Result<(), Failure> {
    if let Some(subscription) = subscriptions(connection)?.into_iter().next() {
        return Err(StoreError::Refused(subscription).into());
    }
    check_guards(connection)?;
    check_sequence(connection)
}

fn check_guards(connection: &mut PgConnection) -> Result<(), Failure> {
    let on = rows::<TriggersOn, (String, String), _>(connection, &[])?;
    let is_on = |guard: &str, enabled: &str| {
        on.iter().any(|(name, how)| name == guard && (how == "always" || how == enabled))
    };
    let expected = Schema::of_migrations();
    let off: Vec<_> = expected.guards().filter(|(guard, enabled)| !is_on(guard, enabled)).collect();
    match off.first() {
        None => Ok(()),
        Some((first, _)) => Err(StoreError::Refused(format!(
            "{} of the triggers that guard signatures are disabled or missing (such as {first}), so nothing may be \
             signed: run 'signwave verify' to list them; after logical replication, run packaging/promote.sql",
            off.len()
        ))
        .into()),
    }
}

/// Checks that the sequence of record ids counts up one by one, and is past every batch: records with other ids
/// would be refused when they are inserted.
fn check_sequence(connection: &mut PgConnection) -> Result<(), Failure> {
    let Sequence { is_plain, name, reached, frontier } =
        row::<IdSequence, _, _>(connection, &[])?.unwrap_or_default();
    let wrong = if !is_plain {
        "the sequence of record.id does not count up one by one (INCREMENT, CYCLE, CACHE, MINVALUE or MAXVALUE was \
         changed), so new records would be refused: ALTER TABLE record ALTER id SET INCREMENT 1 SET NO CYCLE \
         SET CACHE 1 SET MINVALUE 1 SET MAXVALUE 9223372036854775807"
            .to_owned()
    } else if reached < frontier {
        format!(
            "the sequence of record.id was set back to {reached}, below record {frontier}, which is in a batch, so new \
             records would be refused: SELECT setval('{name}', greatest(nextval('{name}'), \
             (SELECT max(id) FROM record)))"
        )
    } else {
        return Ok(());
    };
    Err(StoreError::Refused(wrong).into())
}

/// The sequence of record ids.
#[derive(Default, Queryable)]
struct Sequence {
    /// It counts up one by one.
    is_plain: bool,
    name: String,
    reached: i64,
    /// The highest id in any batch.
    frontier: i64,
}

fn subscriptions(connection: &mut PgConnection) -> Result<Vec<String>, Failure> {
    let names = rows::<Subscriptions, String, _>(connection, &[])?;
    let sentence = |name: String| {
        format!(
            "this database is a copy that logical replication feeds (subscription '{name}'), so nothing may be signed \
             here: stop signing at its origin, DROP SUBSCRIPTION, then run packaging/promote.sql"
        )
        .replace(char::is_control, " ")
    };
    Ok(names.into_iter().map(sentence).collect())
}

/// Records in no batch are above the frontier or in a gap: batches have taken all others.
struct RealCounts;
impl Sql for RealCounts {
    const TEXT: &'static str = "SELECT (SELECT count(*) FROM record), (SELECT count(*) FROM signature), \
         (SELECT count(*) FROM batch), (SELECT count(*) FROM record \
         WHERE id > coalesce((SELECT max(last_record) FROM batch), 0)) \
         + (SELECT count(*) FROM gap JOIN record ON record.id BETWEEN gap.first_record AND gap.last_record), \
         (SELECT coalesce(sum(record_count - absent), 0)::bigint FROM batch), \
         (SELECT coalesce(sum(record_count), 0)::bigint FROM batch WHERE state = 'signed'), \
         (SELECT coalesce(sum(record_count - absent), 0)::bigint FROM batch WHERE state = 'lost')";
    type Columns = CountColumns;
}

struct Objects;
impl Sql for Objects {
    const TEXT: &'static str = include_str!("schema.sql");
    type Columns = Text;
}

struct TriggersOn;
impl Sql for TriggersOn {
    const TEXT: &'static str = "SELECT relname || '.' || tgname, CASE tgenabled WHEN 'A' THEN 'always' ELSE 'origin' END \
         FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE tgenabled IN ('A', 'O') AND NOT tgisinternal \
         AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('record'))";
    type Columns = (Text, Text);
}

/// The position of the sequence is read after the snapshot of the batches was taken, so it can only be ahead of
/// them.
struct IdSequence;
impl Sql for IdSequence {
    const TEXT: &'static str = "SELECT coalesce(bool_and(seqincrement = 1 AND NOT seqcycle AND seqcache = 1 \
             AND seqmin = 1 AND seqmax = 9223372036854775807), false), \
         coalesce(min(name), ''), \
         (SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM record_id_seq), \
         (SELECT coalesce(max(last_record), 0) FROM batch) \
         FROM pg_get_serial_sequence('record', 'id') AS name JOIN pg_sequence ON seqrelid = name::regclass";
    type Columns = (Bool, Text, BigInt, BigInt);
}

/// Reads the view, because before PostgreSQL 14 not everybody may read the names in pg_subscription.
struct Subscriptions;
impl Sql for Subscriptions {
    const TEXT: &'static str = "SELECT DISTINCT subname::text FROM pg_stat_subscription \
         JOIN pg_subscription_rel ON srsubid = subid \
         WHERE srrelid IN (to_regclass('record'), to_regclass('batch'), to_regclass('signature'))";
    type Columns = Text;
}
