//! Connections: how they are opened, and how long that may take.

use std::time::Duration;

use diesel::{
    Connection, ConnectionError, PgConnection, QueryableByName, RunQueryDsl,
    connection::SimpleConnection,
    result::{DatabaseErrorKind, Error},
    sql_query,
    sql_types::Integer,
};

use super::{
    address::{Parts, shown},
    error::{ConnectError, one_line},
    percent::encode,
    rejection::not_connected,
    waits::{Overdue, Waits},
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

/// Attempts to connect that are under way.
static CONNECTING: Waits = Waits::at_most(100);

/// Opens a connection and sets it up, within the time that it may take.
pub fn connect(url: &str, setup: &str) -> Result<PgConnection, ConnectError> {
    // If libpq initialised OpenSSL, OpenSSL would clean up when the process exits, while threads of the pool
    // are still connecting.
    openssl_sys::init();
    let (address, statements, limit) = (url.to_owned(), setup.to_owned(), limit(url));
    CONNECTING.within(limit, move || establish(&address, &statements)).unwrap_or_else(|overdue| {
        let freely = "the server, or a pooler in front of it, has no connection free";
        Err(ConnectError::Unavailable(match overdue {
            Overdue::Silent(_) => format!("{overdue}: {freely}"),
            overdue => overdue.to_string(),
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

fn establish(url: &str, setup: &str) -> Result<PgConnection, ConnectError> {
    match try_establish(&with_parameters(url, None), url, setup) {
        // Only a statement timeout of a few milliseconds can have ended the first statements. They run once
        // more with a connection option that lifts the timeout, which not every pooler accepts.
        Err(Failure::Ended(text)) => {
            try_establish(&with_parameters(url, Some("-c statement_timeout=0")), url, setup)
                .map_err(|_| ConnectError::Unavailable(format!("the first statements failed: {text}")))
        }
        Err(Failure::Final(error)) => Err(error),
        Ok(connection) => Ok(connection),
    }
}

fn try_establish(address: &str, url: &str, setup: &str) -> Result<PgConnection, Failure> {
    let mut connection = PgConnection::establish(address).map_err(|error| match error {
        ConnectionError::BadConnection(message) => Failure::Final(not_connected(&message, url)),
        ConnectionError::CouldntSetupConfiguration(error) => Failure::from(error),
        error => Failure::Final(ConnectError::BadUrl(format!("'{}': {error}", shown(url)))),
    })?;
    connection.batch_execute(setup)?;
    Ok(connection)
}

/// Why an attempt failed.
enum Failure {
    /// Another attempt would fail, too.
    Final(ConnectError),
    /// The server ended one of the first statements.
    Ended(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        use DatabaseErrorKind::{ClosedConnection, UnableToSendCommand};
        match error {
            Error::DatabaseError(kind, said) if !matches!(kind, ClosedConnection | UnableToSendCommand) => {
                Self::Ended(one_line(said.message()))
            }
            error => Self::Final(ConnectError::lost(&error)),
        }
    }
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

/// Refuses a pooler in transaction mode.
///
/// A pooler in transaction mode loses what a session has set (timeouts, durability), what it listens to, and
/// its prepared statements. Two connections that are open at a time reveal such a pooler: the second gets the
/// server process of the first, or the first moves to another process.
///
/// # Errors
/// [`ConnectError::BadUrl`] if there is one; those of [`connect`].
pub fn refuse_pooler(first: &mut PgConnection, url: &str, setup: &str) -> Result<(), ConnectError> {
    // Each query runs in a transaction and is not prepared, because nothing else gets through such a pooler.
    let run = |connection: &mut PgConnection, sql| {
        connection.batch_execute(sql).map_err(|error| ConnectError::lost(&error))
    };
    let pid = |connection: &mut PgConnection| -> Result<i32, ConnectError> {
        run(connection, "BEGIN")?;
        let backend = sql_query("SELECT pg_backend_pid() AS pid").get_result::<Backend>(connection);
        Ok(backend.map_err(|error| ConnectError::lost(&error))?.pid)
    };
    let end = |connection: &mut PgConnection| run(connection, "ROLLBACK");
    let before = pid(first)?;
    end(first)?;
    let mut second = connect(url, setup)?;
    let other = pid(&mut second)?;
    if other == before || pid(first)? != before {
        return Err(ConnectError::BadUrl(format!(
            "'{}' is reached through a pooler in transaction mode, which loses timeouts, durability settings and \
             LISTEN: name the server itself, or a pool in session mode",
            shown(url)
        )));
    }
    end(first)?;
    end(&mut second)
}

#[derive(QueryableByName)]
struct Backend {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libpq::ALWAYS;

    fn connect(url: &str) -> Result<PgConnection, ConnectError> {
        super::connect(url, ALWAYS)
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
