//! Connections: how they are opened, what is set on each, and the pools that keep them.

use std::time::Duration;

use diesel::{
    Connection, ConnectionError, PgConnection, QueryableByName, RunQueryDsl,
    connection::SimpleConnection,
    r2d2::{ConnectionManager, Error as R2d2Error},
    sql_query,
    sql_types::{BigInt, Bool, Integer, Text},
};
use r2d2::{CustomizeConnection, NopErrorHandler, Pool};

use super::errors::{Failure, classify_message, is_down};
use crate::store::{
    DatabaseUrl, StoreError,
    sql::{Sql, row},
};

pub(super) type PgPool = Pool<ConnectionManager<PgConnection>>;

/// How long a thread waits for one of this process' connections, a new one included.
const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(5);

/// Parameters of libpq for those that the URL does not set: a server that fell silent is noticed
/// within half a minute, not within two hours.
const PARAMETERS: [(&str, &str); 6] = [
    ("connect_timeout", "4"),
    ("keepalives_idle", "10"),
    ("keepalives_interval", "5"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "20000"),
    ("fallback_application_name", "signwave"),
];

/// What every connection sets. Whoever holds a lock and falls silent must not hold up all others, so
/// the server ends a transaction that idles, sooner than others give up waiting. A durable commit is one of the promises: `off` becomes `on`
/// here, while a stricter mode of a replicated server stays. Plans of short statements gain nothing
/// from JIT.
const SESSION: &str = "SET lock_timeout = '5s'; \
    SET idle_in_transaction_session_timeout = '3s'; \
    SET client_min_messages = 'warning'; \
    SET jit = off; \
    SET datestyle = 'ISO'; \
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'; \
    SELECT set_config('lc_messages', 'C', false) WHERE current_setting('lc_messages') NOT IN ('C', 'POSIX') \
        AND current_setting('lc_messages') NOT LIKE 'en%' \
        AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)";

/// Short transactions. One that takes longer than this hangs. Each touches few rows, and there is an
/// index for all of them; but a plan that was made while a table was small, and kept, would read all of
/// it later: at one record per batch, signing was four times as slow for the first minute.
const SHORT: &str = "SET statement_timeout = '30s'; \
    SET enable_seqscan = off; \
    SET enable_hashjoin = off; \
    SET enable_mergejoin = off";

/// Opens a connection of its own, outside the pools.
pub(super) fn connect(url: &str) -> Result<PgConnection, StoreError> {
    // Initialised by libpq, OpenSSL would clean up when the process exits, under the feet of the pool's
    // threads that are still connecting.
    openssl_sys::init();
    let mut connection = PgConnection::establish(&with_parameters(url)).map_err(|error| {
        let shown = DatabaseUrl::Postgres(url.to_owned());
        match error {
            ConnectionError::BadConnection(message) => not_connected(&message, &shown),
            // Lost again before it was set up.
            ConnectionError::CouldntSetupConfiguration(error) => Failure::from(error).into(),
            error => StoreError::BadUrl(format!("'{shown}': {error}")),
        }
    })?;
    connection.batch_execute(SESSION).map_err(Failure::from)?;
    Ok(connection)
}

/// What libpq says of a server can be shown. What it says of an address that it cannot read repeats parts
/// of it, the password among them, in quotes or behind a colon.
fn not_connected(message: &str, shown: &DatabaseUrl) -> StoreError {
    let of_a_server = ["connection to server", "could not translate host name"];
    // A host with an '@' is the end of a password that has one.
    let host = message.split('"').nth(1).unwrap_or_default();
    let is_certain = !host.contains('@') && (shown.to_string() != "postgres://.." || !message.contains('@'));
    if is_certain && of_a_server.iter().any(|start| message.starts_with(start)) {
        return match classify_message(message) {
            StoreError::Other(message) | StoreError::Unavailable(message) => {
                if is_down(&message) {
                    StoreError::Unavailable(message)
                } else {
                    StoreError::Denied(message)
                }
            }
            error => error,
        };
    }
    let reason = message.split(['"', ':']).next().unwrap_or_default().trim();
    StoreError::BadUrl(format!(
        "'{shown}' is no address of a server ({reason}): in user name and password write %40 for '@', %2F for '/', %3A \
         for ':' and %25 for '%'"
    ))
}

/// Adds what the URL does not say itself.
fn with_parameters(url: &str) -> String {
    let given = url.split_once('?').map_or("", |(_, parameters)| parameters);
    let is_given = |name: &str| given.split('&').any(|given| given.split('=').next() == Some(name));
    let mut separator = if url.contains('?') { '&' } else { '?' };
    let mut url = url.to_owned();
    for (name, value) in PARAMETERS {
        if !is_given(name) {
            url.push_str(&format!("{separator}{name}={value}"));
            separator = '&';
        }
    }
    url
}

/// What a pool is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    /// Short transactions.
    Short,
    /// Reading at length, for as long as it takes.
    Reader,
}

/// A pool of at most `size` connections, opened when they are needed. None is tested at check-out:
/// one that was lost is noticed where it is used, and replaced.
pub(super) fn pool(url: &str, size: u32, role: Role) -> Result<PgPool, StoreError> {
    Pool::builder()
        .max_size(size)
        .min_idle(Some(0))
        .test_on_check_out(false)
        .max_lifetime(None)
        .idle_timeout(Some(Duration::from_secs(600)))
        .connection_timeout(CHECKOUT_TIMEOUT)
        .connection_customizer(Box::new(role))
        // Whoever waits for a connection is told; the same once a second in the log says no more.
        .error_handler(Box::new(NopErrorHandler))
        .build(ConnectionManager::new(with_parameters(url)))
        .map_err(|error| StoreError::Unavailable(error.to_string()))
}

impl CustomizeConnection<PgConnection, R2d2Error> for Role {
    fn on_acquire(&self, connection: &mut PgConnection) -> Result<(), R2d2Error> {
        let setup = match self {
            Self::Short => format!("{SESSION}; {SHORT}"),
            Self::Reader => SESSION.to_owned(),
        };
        connection.batch_execute(&setup).map_err(R2d2Error::QueryError)
    }
}

/// Opens a connection, and refuses a server, or a way to it, on which a promise could not be kept.
pub(super) fn connect_checked(url: &str) -> Result<PgConnection, StoreError> {
    let shown = DatabaseUrl::Postgres(url.to_owned());
    let mut connection = connect(url)?;
    refuse_pooler(&mut connection, url, &shown)?;
    let facts: Option<(bool, bool, i32, String, bool)> =
        row::<Facts, _, _>(&mut connection, &[]).map_err(Failure::from)?;
    let (replica, read_only, version, encoding, durable) = facts.unwrap_or_default();
    if version < OLDEST {
        return Err(StoreError::BadUrl(format!(
            "'{shown}' is PostgreSQL {}: 12 or later is needed",
            version / 10_000
        )));
    }
    if replica {
        return Err(StoreError::BadUrl(format!(
            "'{shown}' is a read-only replica: name the primary server, for example with \
             target_session_attrs=read-write and all hosts in the URL"
        )));
    }
    if read_only {
        return Err(StoreError::ReadOnly(shown.to_string()));
    }
    if encoding != "UTF8" {
        return Err(StoreError::BadUrl(format!(
            "the encoding of '{shown}' is {encoding}: make a database with ENCODING 'UTF8'"
        )));
    }
    if !durable {
        log::warn!(
            "{shown} runs with fsync or full_page_writes off: a power cut can undo signatures that were seen"
        );
    }
    Ok(connection)
}

const OLDEST: i32 = 120_000;

/// A pooler that lends out server connections by the transaction would lose what a session has set
/// (timeouts, durability), what it listens to, and its prepared statements. It shows when two
/// connections are open at a time: one is served where the other was, or moves.
fn refuse_pooler(first: &mut PgConnection, url: &str, shown: &DatabaseUrl) -> Result<(), StoreError> {
    // In transactions of their own, and not prepared: nothing else gets through such a pooler.
    let pid = |connection: &mut PgConnection| -> Result<i32, StoreError> {
        connection.batch_execute("BEGIN").map_err(Failure::from)?;
        let backend: Backend =
            sql_query("SELECT pg_backend_pid() AS pid").get_result(connection).map_err(Failure::from)?;
        Ok(backend.pid)
    };
    let end = |connection: &mut PgConnection| connection.batch_execute("ROLLBACK").map_err(Failure::from);
    let before = pid(first)?;
    end(first)?;
    let mut second = connect(url)?;
    let other = pid(&mut second)?;
    if other == before || pid(first)? != before {
        return Err(StoreError::BadUrl(format!(
            "'{shown}' is reached through a pooler in transaction mode, which loses timeouts, durability settings and \
             LISTEN: name the server itself, or a pool in session mode"
        )));
    }
    end(first)?;
    Ok(end(&mut second)?)
}

#[derive(QueryableByName)]
struct Backend {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

struct Facts;
impl Sql for Facts {
    const TEXT: &'static str = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::boolean, \
         current_setting('server_version_num')::integer, current_setting('server_encoding'), \
         current_setting('fsync')::boolean AND current_setting('full_page_writes')::boolean";
    type Columns = (Bool, Bool, Integer, Text, Bool);
}

/// The sequence of record ids hands them out one by one and upwards, from above every batch on: other ids
/// would be refused when they are inserted.
pub(super) fn check_sequence(connection: &mut PgConnection) -> Result<(), Failure> {
    let found: Option<(bool, String, i64, i64)> = row::<IdSequence, _, _>(connection, &[])?;
    let (is_plain, name, reached, frontier) = found.unwrap_or_default();
    let wrong = if !is_plain {
        "the sequence of record.id does not count up one by one (INCREMENT, CYCLE, CACHE, MINVALUE or MAXVALUE was \
         changed), so that records would be refused: ALTER TABLE record ALTER id SET INCREMENT 1 SET NO CYCLE SET CACHE 1 \
         SET MINVALUE 1 SET MAXVALUE 9223372036854775807"
            .to_owned()
    } else if reached < frontier {
        format!(
            "the sequence of record.id was set back to {reached}, below record {frontier} that is in a batch, so that new \
             records would be refused: SELECT setval('{name}', greatest(nextval('{name}'), (SELECT max(id) FROM record)))"
        )
    } else {
        return Ok(());
    };
    Err(StoreError::Refused(wrong).into())
}

/// How far the sequence is, is read after the batches were: in this order it can only be ahead.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libpq_says_of_an_address_repeats_no_password() {
        for url in [
            "postgres://u:50%secret@h/d",
            "postgres://u:se@secret@127.0.0.1:1/d",
            "postgres://u:x/secret@127.0.0.1:1/d",
            "postgres://u:secret/d",
            "postgres://u:secret@[::1/d",
            "postgres://u:a@127.0.0.1:secret/d",
            "postgres://127.0.0.1:1/d?secret",
            "postgres://127.0.0.1:1/d?password=se=secret",
            "postgres://127.0.0.1:1/d?sslmode=secret",
        ] {
            let error = connect(url).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(
                error.contains("is no address of a server (") && !error.contains("secret"),
                "{url}: {error}"
            );
        }
        let error = connect("postgres://u:secret@127.0.0.1:1/d").err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("Connection refused") && !error.contains("secret")));
    }

    #[test]
    fn parameters_of_the_url_come_first() {
        let url = with_parameters("postgres://h/d");
        assert!(url.starts_with("postgres://h/d?connect_timeout=4&keepalives_idle=10"), "{url}");
        let url = with_parameters("postgres://h/d?connect_timeout=9");
        assert!(url.starts_with("postgres://h/d?connect_timeout=9&keepalives_idle=10"), "{url}");
    }
}
