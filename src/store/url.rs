//! Where a database is: told apart by scheme, so that a mistyped address is an error and not a new file.

use std::{fmt, path::PathBuf};

use super::StoreError;

/// The address of a database.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A server, by the whole URL, which may hold a password.
    Postgres(String),
}

impl DatabaseUrl {
    /// Reads `PATH`, `sqlite://PATH`, `sqlite:PATH`, `postgres://..` or `postgresql://..`.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`], which repeats nothing but the scheme, for everything else.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        match split_scheme(text) {
            None => sqlite_path(text, text),
            Some((scheme, rest)) => match (scheme.to_ascii_lowercase().as_str(), rest.strip_prefix("//")) {
                ("sqlite", path) => sqlite_path(path.unwrap_or(rest), text),
                ("postgres" | "postgresql", Some(_)) => Ok(Self::Postgres(text.to_owned())),
                // A short word at most: what is none may be anything, and was not meant to be shown.
                _ if !is_word(scheme) || scheme.len() > 32 => Err(StoreError::BadUrl(
                    "the address of the database begins with no scheme: use a path, sqlite://PATH or postgres://.."
                        .to_owned(),
                )),
                _ => Err(StoreError::BadUrl(format!(
                    "'{scheme}:' is no kind of database that is known here: use a path, sqlite://PATH or \
                     postgres://.. (for a file of such a name: ./{scheme}:..)"
                ))),
            },
        }
    }
}

/// Splits `scheme:rest` as RFC 3986 does. One letter is a Windows drive, not a scheme.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.len() > 1 && is_word(scheme);
    (is_scheme || rest.starts_with("//")).then_some((scheme, rest))
}

fn is_word(scheme: &str) -> bool {
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c))
}

fn sqlite_path(path: &str, text: &str) -> Result<DatabaseUrl, StoreError> {
    let problem = if path.is_empty() {
        "the address of the database is empty: give a path, such as signwave.db"
    } else if path.starts_with(':') {
        "a database in memory would forget what it signed: give the path of a file"
    } else if path.contains('\0') {
        "the path of the database contains a NUL character"
    } else if path.contains('?') && path.len() < text.len() {
        "sqlite:// takes a path and no parameters (for a file with '?' in its name, give the bare path)"
    } else {
        return Ok(DatabaseUrl::Sqlite(PathBuf::from(path)));
    };
    Err(StoreError::BadUrl(problem.to_owned()))
}

impl fmt::Display for DatabaseUrl {
    /// Shows the path, or the host, port and name: never a user, password or parameter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(url) => write!(f, "postgres://{}", public_part(url).unwrap_or("..")),
        }
    }
}

/// Host, port and database; `None` when it is not certain which part is the password.
fn public_part(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(authority_end);
    if after.contains('@') {
        return None;
    }
    let host_start = authority.rfind('@').map_or(0, |at| at + 1);
    let port = authority[host_start..].rsplit_once(':').map_or("", |(_, port)| port);
    let path_end = authority_end + after.find(['?', '#']).unwrap_or(after.len());
    port.chars().all(|c| c.is_ascii_digit()).then_some(&rest[host_start..path_end])
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
            "my\nsql://h/d",
        ] {
            assert!(matches!(DatabaseUrl::parse(text), Err(StoreError::BadUrl(_))), "{text}");
        }
        assert!(!DatabaseUrl::parse("mysql://u:secret@h/d").unwrap_err().to_string().contains("secret"));
        for no_scheme in ["se cret://h/d", "\u{1b}secret://h/d", "://secret"] {
            let error = DatabaseUrl::parse(no_scheme).unwrap_err().to_string();
            assert!(!error.contains("cret") && !error.contains(char::is_control), "{error}");
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
