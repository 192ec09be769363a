//! The processes that block a lock.

use diesel::{
    PgConnection, Queryable,
    sql_types::{Integer, Nullable, Text},
};

use crate::store::sql::{Sql, rows};

/// How many processes are named.
const NAMED: usize = 3;

/// Names the processes that hold locks on our tables, or the lock of migrations, and do not wait for one.
/// `None` when there is no such process, or it cannot be found out.
pub(super) fn holders(connection: &mut PgConnection) -> Option<String> {
    let found: Vec<Holder> = rows::<Holders, _, _>(connection, &[]).ok()?;
    let name = |text: &Option<String>| text.as_deref().unwrap_or_default().escape_debug().to_string();
    let mut named: Vec<_> = found
        .iter()
        .take(NAMED)
        .map(|Holder { pid, user, application, what }| {
            format!("process {pid} of user '{}' ({}) holds {what}", name(user), name(application))
        })
        .collect();
    if found.len() > NAMED {
        named.push(format!("and {} more", found.len() - NAMED));
    }
    (!named.is_empty()).then(|| named.join(", "))
}

#[derive(Queryable)]
struct Holder {
    pid: i32,
    user: Option<String>,
    application: Option<String>,
    /// The names of the tables.
    what: String,
}

/// Leaves out processes that only read, because they block nothing but migrations.
struct Holders;
impl Sql for Holders {
    const TEXT: &'static str = "SELECT held.pid, usename::text, application_name, \
         string_agg(DISTINCT coalesce(relation::regclass::text, 'the migrations'), ', ') \
         FROM pg_locks AS held LEFT JOIN pg_stat_activity AS activity ON activity.pid = held.pid \
         WHERE held.granted AND held.pid <> pg_backend_pid() \
         AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
         AND NOT EXISTS (SELECT FROM pg_locks AS wanted WHERE wanted.pid = held.pid AND NOT wanted.granted) \
         AND (held.locktype = 'relation' AND held.mode <> 'AccessShareLock' AND held.relation IN (SELECT oid FROM pg_class \
             WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) \
             AND relname IN ('record', 'signing_key', 'node', 'batch', 'signature', 'gap', 'feed', 'unsequenced', \
                 'api_token', 'api_audit', 'opening_turn', 'leasing_turn', 'auditing_turn', 'sequencing_turn')) \
             OR held.locktype = 'advisory' AND held.classid = 1936287598 AND held.objid = 3) \
         GROUP BY held.pid, usename, application_name ORDER BY held.pid";
    type Columns = (Integer, Nullable<Text>, Nullable<Text>, Text);
}
