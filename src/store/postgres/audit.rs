//! Checking the database itself: is the schema, which holds the promises, still what it was made as?
//!
//! Everything here is read from the system's catalogs, which everybody may read, in a transaction that cannot
//! write: an auditor without any other right than SELECT is enough.

use diesel::{PgConnection, sql_types::Text};

use super::{PostgresStore, connection::check_sequence, errors::Failure, expected::Schema};
use crate::store::{
    StoreError,
    sql::{Sql, Value, rows},
};

/// See [`crate::store::Store::audit`].
pub(super) fn audit(store: &PostgresStore) -> Result<Vec<String>, StoreError> {
    let expected = Schema::of_migrations();
    let relations = expected.relations();
    let relations = [Value::Text(&relations)];
    store.read(|connection| {
        let mut problems = subscriptions(connection)?;
        let is_copy = !problems.is_empty();
        rows::<Pin, String, _>(connection, &[])?;
        let found = rows::<Objects, String, _>(connection, &relations)?;
        problems.extend(expected.differences(&Schema::read(found.iter().map(String::as_str))));
        // Of the sequence of records it matters how far it has come, too. That of a copy is set when the copy takes over.
        if !is_copy && let Err(problem) = check_sequence(connection) {
            problems.retain(|problem| !problem.starts_with("the sequence of record.id: its definition"));
            problems.push(StoreError::from(problem).to_string());
        }
        Ok(problems)
    })
}

/// Whether records may be signed here at all. Cheap: it is asked once, when a node begins.
///
/// A copy that logical replication feeds has guards that do not look at what arrives. While it is fed, its
/// origin signs: here the same records would be signed again.
pub(super) fn check_guards(connection: &mut PgConnection) -> Result<(), Failure> {
    if let Some(subscription) = subscriptions(connection)?.into_iter().next() {
        return Err(StoreError::Refused(subscription).into());
    }
    let on = rows::<GuardsOn, String, _>(connection, &[])?;
    let off: Vec<_> = Schema::of_migrations().guards().filter(|guard| !on.contains(guard)).collect();
    match off.first() {
        None => Ok(()),
        Some(first) => Err(StoreError::Refused(format!(
            "{} of the triggers that guard signatures are off or missing, {first} for one, so nothing may be signed: \
             'signwave verify' names them; after logical replication run packaging/promote.sql",
            off.len()
        ))
        .into()),
    }
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

struct Pin;
impl Sql for Pin {
    const TEXT: &'static str = include_str!("pin.sql");
    type Columns = Text;
}

struct Objects;
impl Sql for Objects {
    const TEXT: &'static str = include_str!("schema.sql");
    type Columns = Text;
}

struct GuardsOn;
impl Sql for GuardsOn {
    const TEXT: &'static str = "SELECT relname || '.' || tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid \
         WHERE (tgenabled = 'A' OR tgenabled = 'O' AND tgname = 'record_id_is_drawn') AND NOT tgisinternal \
         AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('record'))";
    type Columns = Text;
}

/// The view, because before 14 not everybody may read the names in pg_subscription.
struct Subscriptions;
impl Sql for Subscriptions {
    const TEXT: &'static str = "SELECT DISTINCT subname::text FROM pg_stat_subscription \
         JOIN pg_subscription_rel ON srsubid = subid \
         WHERE srrelid IN (to_regclass('record'), to_regclass('batch'), to_regclass('signature'))";
    type Columns = Text;
}
