//! The address of a database. The scheme tells the kind, so that a mistyped address is an error and not a new
//! file.

use std::{fmt, path::PathBuf};

use super::StoreError;
use crate::libpq::{self, names_password};

/// The address of a database.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A server, by the whole URL, which may hold a password.
    Postgres(String),
}

impl DatabaseUrl {
    /// Reads `PATH`, `sqlite://PATH`, `sqlite:PATH`, `postgres://..`, `postgresql://..`, or libpq's
    /// `host=.. dbname=..`, which becomes a URL. A bare text with a `=`, and no `/` before it, is of the
    /// last kind: a file with such a name is written as `./a=b.db`.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`], which repeats nothing but the scheme, for everything else.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        Self::read(text).map_err(StoreError::BadUrl)
    }

    fn read(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        if let Some(quote @ ('"' | '\'')) = trimmed.chars().next()
            && trimmed.len() > 1
            && trimmed.ends_with(quote)
        {
            return Err(
                "the address of the database is in quotes: remove the quotes (for a file with such a name: ./..)"
                    .to_owned(),
            );
        }
        match split_scheme(trimmed) {
            None if libpq::is_key_value(text) => match libpq::url_of(trimmed) {
                Ok(url) => server(url),
                Err(problem) => Err(format!(
                    "the address of the database has a '=' and is read as key=value pairs, but {problem}: write \
                     'host=HOST port=PORT dbname=NAME user=USER' or postgres://USER@HOST:PORT/NAME (for a file with \
                     such a name: ./..)"
                )),
            },
            None if is_no_plain_path(text) => Err(NO_PLAIN_PATH.to_owned()),
            None => sqlite_path(text, text),
            Some((scheme, rest)) => match (scheme.to_ascii_lowercase().as_str(), rest.strip_prefix("//")) {
                ("sqlite", path) if is_url(path.unwrap_or(rest)) => Err(NO_PLAIN_PATH.to_owned()),
                ("sqlite", path) => sqlite_path(path.unwrap_or(rest), trimmed),
                ("postgres" | "postgresql", Some(rest)) => server(format!("postgres://{rest}")),
                // The scheme is shown only if it is a short word, because anything else may be a secret.
                _ if !is_word(scheme) || scheme.len() > 32 => {
                    Err("the address of the database has no valid scheme: use a path, sqlite://PATH or postgres://.."
                        .to_owned())
                }
                (known, _) => Err(unknown_scheme(scheme, known)),
            },
        }
    }
}

/// Whether a text may be an address of a server in the form of another program, with a password in it, and so
/// cannot be the name of a new file. A path with a folder is always taken as a path.
fn is_no_plain_path(text: &str) -> bool {
    let is_in_folder = ["/", "./", "../"].iter().any(|start| text.starts_with(start));
    let is_strange = text == "-" || text.contains("//") || text.contains(['@', ';', ',', '{', '}']);
    text.starts_with("//") || !is_in_folder && (is_strange || names_password(text))
}

fn is_url(text: &str) -> bool {
    split_scheme(text).is_some_and(|(scheme, rest)| is_word(scheme) && rest.starts_with("//"))
}

const NO_PLAIN_PATH: &str = "the address of the database is neither a plain path nor a URL: use a path, sqlite://PATH or \
                             postgres://.. (for a file with such a name: ./NAME)";

fn server(url: String) -> Result<DatabaseUrl, String> {
    match libpq::check(&url) {
        Ok(()) => Ok(DatabaseUrl::Postgres(url)),
        Err(problem) => Err(format!("the address of the {problem}")),
    }
}

/// What other programs write, and what to write here.
fn unknown_scheme(scheme: &str, lower: &str) -> String {
    let server = "postgres://USER:PASSWORD@HOST:PORT/NAME";
    let file = "a path, such as /var/lib/signwave.db";
    let base = lower.split(['+', ':']).next().unwrap_or(lower);
    let instead = match base {
        "sqlite" | "sqlite3" | "file" => file,
        "postgres" | "postgresql" | "postgis" | "psql" | "pgsql" | "pg" | "jdbc" | "timescaledb" | "ecto" => {
            server
        }
        _ => {
            return format!(
                "unknown database scheme '{scheme}:': use a path, sqlite://PATH or postgres://.. (for a file with such \
                 a name: ./{scheme}:..)"
            );
        }
    };
    format!("'{scheme}:' is how other programs name a database: write {instead}")
}

/// Splits `scheme:rest` as RFC 3986 does. One letter is a Windows drive, not a scheme. The text before the
/// colon in `host=::1` is not a scheme either.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.len() > 1 && is_word(scheme);
    (is_scheme || rest.starts_with("//") && !scheme.contains('=')).then_some((scheme, rest))
}

fn is_word(scheme: &str) -> bool {
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c))
}

fn sqlite_path(path: &str, text: &str) -> Result<DatabaseUrl, String> {
    let problem = if path.is_empty() {
        "the address of the database is empty: give a path, such as signwave.db"
    } else if path.starts_with(':') {
        "a database in memory would forget what it signed: give the path of a file"
    } else if path.contains(char::is_control) {
        "the path of the database contains a control character, such as a line break: remove it"
    } else if path.trim() != path {
        "the path of the database begins or ends with a space: remove the space"
    } else if path.contains('?') && path.len() < text.len() {
        "sqlite:// takes a path and no parameters (for a file with '?' in its name, give the bare path)"
    } else {
        return Ok(DatabaseUrl::Sqlite(PathBuf::from(path)));
    };
    Err(problem.to_owned())
}

impl fmt::Display for DatabaseUrl {
    /// Shows the path, or the host, port and name: never a user, password or parameter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(url) => f.write_str(&libpq::shown(url)),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    /// As [`fmt::Display`]: without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_sqlite_urls_are_files() {
        for (text, path) in [
            ("signwave.db", "signwave.db"),
            ("/var/lib/a b.db", "/var/lib/a b.db"),
            ("sqlite:///var/lib/a.db", "/var/lib/a.db"),
            ("sqlite://a.db", "a.db"),
            ("SQLite:a.db", "a.db"),
            ("sqlite:/a.db", "/a.db"),
            ("what?.db", "what?.db"),
            ("./mysql:a", "./mysql:a"),
            ("C:\\a.db", "C:\\a.db"),
            ("./a b=c.db", "./a b=c.db"),
            ("./a@b.db", "./a@b.db"),
            ("/tmp//a;b.db", "/tmp//a;b.db"),
            ("sqlite:////var/a.db", "//var/a.db"),
            ("day/run=5/a.db", "day/run=5/a.db"),
        ] {
            assert_eq!(DatabaseUrl::parse(text), Ok(DatabaseUrl::Sqlite(path.into())), "{text}");
        }
    }

    #[test]
    fn a_mistyped_address_is_an_error_and_not_a_new_file() {
        for text in [
            "",
            "sqlite:",
            "sqlite://",
            ":memory:",
            "sqlite://:memory:",
            "sqlite:a.db?mode=ro",
            "file:a.db",
            "postgre://h/d",
            "postgres:h/d",
            "sqlite3://a.db",
            "mysql://u:p@h/d",
            "://a",
            "a\0b",
            "a.db\n",
            " a.db",
            "\"a.db\"",
            "a b=c.db",
            "hots=127.0.0.1 password=x",
            "'postgres://h/d'",
            "postgresql+psycopg://u:p@h/d",
            "postgres+asyncpg://u:p@h/d",
            "jdbc:postgresql://h/d?user=u&password=p",
            "pgsql:host=h;dbname=d;password=p",
            "sqlite+aiosqlite:///a.db",
            "postgres://h/d?schema=public",
            "my\nsql://h/d",
            "-",
            "postgres@127.0.0.1",
            "localhost;x",
        ] {
            assert!(matches!(DatabaseUrl::parse(text), Err(StoreError::BadUrl(_))), "{text}");
        }
    }

    #[test]
    fn an_address_that_is_refused_is_not_repeated() {
        for secret in [
            "mysql://u:secret@h/d",
            "host=h password=secret unknown=x",
            "hots=h password=secret",
            "host=h password='secret",
            "pgsql:host=h;password=secret",
            "jdbc:postgresql://h/d?password=secret",
            "postgresql+psycopg://u:secret@h/d",
            "\"postgres://u:secret@h/d\"",
            "postgres://u:secret@h/d?pool_timeout=5",
            "postgres://u:se/cret@h/d?sslmode=secret",
            "host=127.0.0.1;user=u;password=secret",
            "host=127.0.0.1,password=secret,dbname=x",
            "host='127.0.0.1 password=secret'",
            "host=h user=u;password=secret",
            "postgres://h/x;user=u;password=secret",
            "postgres://h/x&password=secret",
            "sqlite:postgres://u:secret@h/x",
            "postgres//u:secret@h/x",
            "//u:secret@h/x",
            "{\"host\":\"h\",\"password\":\"secret\"}",
            "127.0.0.1,5432,postgres,secret",
            "postgres.secret@db",
        ] {
            let error = DatabaseUrl::parse(secret).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        for no_scheme in ["se cret://h/d", "\u{1b}secret://h/d", "://secret"] {
            let error = DatabaseUrl::parse(no_scheme).unwrap_err().to_string();
            assert!(!error.contains("cret") && !error.contains(char::is_control), "{error}");
        }
    }

    #[test]
    fn key_value_strings_and_what_surrounds_a_url_are_taken() {
        for (text, url) in [
            (
                "host=127.0.0.1 port=5432 dbname=a user=u password=s3cr3t",
                "postgres://127.0.0.1:5432/a?user=u&password=s3cr3t",
            ),
            ("host=::1 dbname=a", "postgres:///a?host=%3A%3A1"),
            ("service=sw", "postgres:///?service=sw"),
            (" postgres://h/d\n", "postgres://h/d"),
            ("POSTGRESQL://h/d", "postgres://h/d"),
        ] {
            assert_eq!(DatabaseUrl::parse(text), Ok(DatabaseUrl::Postgres(url.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("postgres://h/d", "postgres://h/d"),
            ("postgresql://u:secret@h:5432/d", "postgres://h:5432/d"),
            ("postgres://u:sec@ret@h/d", "postgres://h/d"),
            ("postgres://u:secret/x@h/d", "postgres://.."),
            ("postgres://u:?secret@h/d", "postgres://.."),
            ("postgres://u:secret/d", "postgres://.."),
            ("postgres://h/d?user=u&password=secret", "postgres://h/d"),
            ("postgres://h/d?password=secret@x", "postgres://.."),
        ] {
            let url = DatabaseUrl::parse(url).unwrap();
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("secret"));
        }
    }
}
