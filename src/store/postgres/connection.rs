//! Connections: how they are opened, how long that may take, and which servers are refused.

use std::{
    sync::{
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use diesel::{
    Connection, ConnectionError, PgConnection, QueryableByName, RunQueryDsl,
    connection::SimpleConnection,
    sql_query,
    sql_types::{Bool, Integer, Text},
};

use super::{
    errors::Failure,
    rejection::not_connected,
    session::{Session, check_settings, only_schema},
    tables,
};
use crate::store::{
    DatabaseUrl, StoreError,
    libpq::Parts,
    percent::encode,
    sql::{Sql, row},
};

/// Seconds for one attempt to connect to one host.
const CONNECT_TIMEOUT: u64 = 4;

/// The same where the URL turns the limit off, or where its value is no number.
const LONG_TIMEOUT: u64 = 600;

/// The range that a URL may ask for. libpq treats 1 as 2.
const SHORTEST_TIMEOUT: u64 = 2;
const LONGEST_TIMEOUT: u64 = 3600;

/// Parameters of libpq that are added unless the URL sets them. With them a silent server is noticed within
/// half a minute instead of two hours.
const PARAMETERS: [(&str, &str); 6] = [
    ("connect_timeout", "4"),
    ("keepalives_idle", "10"),
    ("keepalives_interval", "5"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "20000"),
    ("fallback_application_name", "signwave"),
];

/// How long the server may take to answer the first statements. A pooler that has no connection free lets us in
/// and then does not answer, for two minutes or forever.
const SETUP_LIMIT: Duration = Duration::from_secs(5);

/// Attempts to connect that may be under way at a time.
const CONNECTING_AT_MOST: usize = 100;

/// Attempts that are under way. libpq waits without limit for the answer to a statement, and the wait cannot be
/// cancelled. Its thread is left behind until the wait ends, so the number of threads needs a bound.
static CONNECTING: AtomicUsize = AtomicUsize::new(0);

/// Opens a connection and sets it up, within the time that it may take.
pub(super) fn connect(url: &str, session: &Session) -> Result<PgConnection, StoreError> {
    // If libpq initialised OpenSSL, OpenSSL would clean up when the process exits, while threads of the pool
    // are still connecting.
    openssl_sys::init();
    if CONNECTING.fetch_add(1, SeqCst) >= CONNECTING_AT_MOST {
        CONNECTING.fetch_sub(1, SeqCst);
        return Err(StoreError::Unavailable(format!(
            "{CONNECTING_AT_MOST} earlier attempts to connect are still waiting for an answer"
        )));
    }
    let (sender, receiver) = channel();
    let (address, setup) = (url.to_owned(), session.setup());
    let attempt = move || {
        let result = establish(&address, &setup);
        CONNECTING.fetch_sub(1, SeqCst);
        // The caller may have given up: then the connection is closed here.
        drop(sender.send(result));
    };
    if let Err(error) = thread::Builder::new().name("connect".to_owned()).spawn(attempt) {
        CONNECTING.fetch_sub(1, SeqCst);
        return Err(StoreError::Unavailable(format!("cannot start a thread to connect: {error}")));
    }
    let limit = limit(url);
    receiver.recv_timeout(limit).unwrap_or_else(|error| {
        Err(StoreError::Unavailable(match error {
            RecvTimeoutError::Timeout => format!(
                "no answer within {} s: the server, or a pooler in front of it, has no connection free",
                limit.as_secs()
            ),
            RecvTimeoutError::Disconnected => "the attempt to connect failed".to_owned(),
        }))
    })
}

/// How long connecting may take: what libpq may take for each host, and the first statements.
fn limit(url: &str) -> Duration {
    let parts = Parts::of(url);
    let hosts = parts.parameter("host").unwrap_or_else(|| parts.hosts.to_owned()).split(',').count();
    let each = match parts.parameter("connect_timeout").map(|text| text.parse::<u64>()) {
        None => CONNECT_TIMEOUT,
        // libpq waits forever (0), or refuses (no number).
        Some(Ok(0) | Err(_)) => LONG_TIMEOUT,
        Some(Ok(seconds)) => seconds.clamp(SHORTEST_TIMEOUT, LONGEST_TIMEOUT),
    };
    Duration::from_secs(each.saturating_mul(hosts as u64)) + SETUP_LIMIT
}

fn establish(url: &str, setup: &str) -> Result<PgConnection, StoreError> {
    match try_establish(&with_parameters(url, None), url, setup) {
        // Only a statement timeout of a few milliseconds can have ended the first statements. They run once
        // more with a connection option that lifts the timeout, which not every pooler accepts.
        Err(Failure::Unforeseen(text)) => {
            try_establish(&with_parameters(url, Some("-c statement_timeout=0")), url, setup)
                .map_err(|_| StoreError::Unavailable(format!("the first statements failed: {text}")))
        }
        result => Ok(result?),
    }
}

fn try_establish(address: &str, url: &str, setup: &str) -> Result<PgConnection, Failure> {
    let mut connection = PgConnection::establish(address).map_err(|error| match error {
        ConnectionError::BadConnection(message) => not_connected(&message, url).into(),
        ConnectionError::CouldntSetupConfiguration(error) => Failure::from(error),
        error => StoreError::BadUrl(format!("'{}': {error}", DatabaseUrl::Postgres(url.to_owned()))).into(),
    })?;
    connection.batch_execute(setup)?;
    Ok(connection)
}

/// Adds the parameters that the URL does not set, and appends `options` to those of the URL, or of PGOPTIONS.
fn with_parameters(url: &str, options: Option<&str>) -> String {
    let parts = Parts::of(url);
    let mut added: Vec<_> = PARAMETERS
        .iter()
        .filter(|(name, _)| parts.parameter(name).is_none())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if let Some(options) = options {
        let given =
            parts.parameter("options").or_else(|| std::env::var("PGOPTIONS").ok()).unwrap_or_default();
        added.push(format!("options={}", encode(&format!("{given} {options}"))));
    }
    let separator = match parts.query {
        None => "?",
        Some("") => "",
        Some(_) => "&",
    };
    format!("{url}{separator}{}", added.join("&"))
}

/// What a checked connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Everything that a node does.
    Write,
    /// Reading only: a standby will do.
    Read,
}

/// A connection to a server on which every promise can be kept, set to the schema that has the tables, or will
/// have them.
pub(super) struct Checked {
    /// The connection, which uses that schema.
    pub connection: PgConnection,
    /// The setup for further connections.
    pub session: Session,
}

/// Opens a connection, and refuses a server, or a way to it, on which a promise could not be kept.
pub(super) fn connect_checked(url: &str, purpose: Purpose) -> Result<Checked, StoreError> {
    let shown = DatabaseUrl::Postgres(url.to_owned());
    let mut session = Session { reads_only: purpose == Purpose::Read, ..Session::FIRST };
    let mut connection = connect(url, &session)?;
    refuse_pooler(&mut connection, url, &session, &shown)?;
    refuse_server(&mut connection, purpose, &shown)?;
    check_settings(&mut connection)?;
    let schema = tables::place(&mut connection)?;
    connection.batch_execute(&only_schema(&schema)).map_err(Failure::from)?;
    session.schema = Some(schema);
    Ok(Checked { connection, session })
}

fn refuse_server(
    connection: &mut PgConnection,
    purpose: Purpose,
    shown: &DatabaseUrl,
) -> Result<(), StoreError> {
    let facts: Option<(bool, i32, String, bool)> =
        row::<Facts, _, _>(connection, &[]).map_err(Failure::from)?;
    let (replica, version, encoding, durable) = facts.unwrap_or_default();
    if version < OLDEST {
        return Err(StoreError::BadUrl(format!(
            "'{shown}' is PostgreSQL {}: 12 or later is needed",
            version / 10_000
        )));
    }
    if replica && purpose == Purpose::Write {
        return Err(StoreError::BadUrl(format!(
            "'{shown}' is a read-only replica: name the primary server, for example with \
             target_session_attrs=read-write and all hosts in the URL"
        )));
    }
    if replica {
        log::warn!(
            "{shown} is a standby: what the primary server stored last may not have arrived there yet"
        );
    }
    if encoding != "UTF8" {
        return Err(StoreError::BadUrl(format!(
            "the encoding of '{shown}' is {encoding}: make a database with ENCODING 'UTF8'"
        )));
    }
    if !durable && purpose == Purpose::Write {
        log::warn!(
            "{shown} runs with fsync or full_page_writes off: a power cut can undo signatures that were already read"
        );
    }
    Ok(())
}

const OLDEST: i32 = 120_000;

/// A pooler in transaction mode loses what a session has set (timeouts, durability), what it listens to, and
/// its prepared statements. Two connections that are open at a time reveal such a pooler: the second gets the
/// server process of the first, or the first moves to another process.
fn refuse_pooler(
    first: &mut PgConnection,
    url: &str,
    session: &Session,
    shown: &DatabaseUrl,
) -> Result<(), StoreError> {
    // Each query runs in a transaction and is not prepared, because nothing else gets through such a pooler.
    let pid = |connection: &mut PgConnection| -> Result<i32, StoreError> {
        connection.batch_execute("BEGIN").map_err(Failure::from)?;
        let backend: Backend =
            sql_query("SELECT pg_backend_pid() AS pid").get_result(connection).map_err(Failure::from)?;
        Ok(backend.pid)
    };
    let end = |connection: &mut PgConnection| connection.batch_execute("ROLLBACK").map_err(Failure::from);
    let before = pid(first)?;
    end(first)?;
    let mut second = connect(url, session)?;
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
    const TEXT: &'static str = "SELECT pg_is_in_recovery(), current_setting('server_version_num')::integer, \
         current_setting('server_encoding'), \
         current_setting('fsync')::boolean AND current_setting('full_page_writes')::boolean";
    type Columns = (Bool, Integer, Text, Bool);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(url: &str) -> Result<PgConnection, StoreError> {
        super::connect(url, &Session::FIRST)
    }

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
                error.contains("is not a valid server address (") && !error.contains("secret"),
                "{url}: {error}"
            );
        }
        let error = connect("postgres://u:secret@127.0.0.1:1/d").err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("Connection refused") && !error.contains("secret")));
    }

    #[test]
    fn parameters_of_the_url_come_first() {
        let url = with_parameters("postgres://h/d", None);
        assert!(url.starts_with("postgres://h/d?connect_timeout=4&keepalives_idle=10"), "{url}");
        let url = with_parameters("postgres://h/d?connect_timeout=9", None);
        assert!(url.starts_with("postgres://h/d?connect_timeout=9&keepalives_idle=10"), "{url}");
        let url = with_parameters("postgres://u:a?b@h/d", None);
        assert!(url.starts_with("postgres://u:a?b@h/d?connect_timeout=4"), "{url}");
        let url = with_parameters("postgres://h/d?options=-c%20x%3D1", Some("-c y=2"));
        assert!(url.ends_with("&options=-c%20x%3D1%20-c%20y%3D2"), "{url}");
    }

    #[test]
    fn connecting_may_take_as_long_as_libpq_and_a_little_longer() {
        for (url, seconds) in [
            ("postgres://h/d", 9),
            ("postgres://a,b/d", 13),
            ("postgres:///d?host=a,b&connect_timeout=10", 25),
            ("postgres://h/d?connect_timeout=0", 605),
        ] {
            assert_eq!(limit(url), Duration::from_secs(seconds), "{url}");
        }
    }
}
