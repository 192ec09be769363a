//! Where an anchor is.

use std::{
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::libpq;

/// The address of an anchor: the path of a file, or `postgres://USER@HOST/DB#NAME`.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum AnchorAddress {
    /// A file.
    File(PathBuf),
    /// Rows of a table on a PostgreSQL server.
    Postgres(AnchorRows),
}

/// An anchor in a database.
#[derive(Clone, PartialEq, Eq)]
pub struct AnchorRows {
    /// The server and the database there, without the name. It may hold a password.
    pub(super) url: String,
    /// What tells anchors in one database apart.
    pub(super) name: String,
    /// The incarnation whose anchor was set aside; `None` for the current one.
    pub(super) aside: Option<u32>,
}

/// Text that is no address of an anchor. It repeats nothing of the text but its scheme, because that may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address of the anchor cannot be used: {0}")]
pub struct BadAddress(String);

/// The name of an anchor if its address has none.
const NAME: &str = "anchor";

/// The longest name, in characters.
const LONGEST_NAME: usize = 64;

impl AnchorAddress {
    /// Reads a path, or a URL with the scheme `postgres` or `postgresql`. A bare text that may be an address of a server in
    /// another form is refused, as for a database: a file with such a name is written as `./a=b`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &OsStr) -> Result<Self, BadAddress> {
        let file = || Ok(Self::File(PathBuf::from(text)));
        let Some(text) = text.to_str() else { return file() };
        let refused = |problem: &str| Err(BadAddress(problem.to_owned()));
        let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        let is_in_folder = ["/", "./", "../"].iter().any(|start| text.starts_with(start));
        match (scheme.as_deref(), text.split_once("://")) {
            _ if text.is_empty() => refused("it is empty"),
            _ if is_in_folder => file(),
            (Some("postgres" | "postgresql"), Some((_, rest))) => Self::server(rest).map_err(BadAddress),
            (Some("postgres" | "postgresql"), None) | (_, Some(_)) => {
                refused("write a path, or postgres://USER@HOST:PORT/DATABASE#NAME")
            }
            (Some("sqlite"), None) => refused(
                "an SQLite database would be no more than another file: write the path of a file that is to be made",
            ),
            _ if libpq::is_key_value(text)
                || libpq::names_password(text)
                || text.contains(['@', ';', '{', '}']) =>
            {
                refused(
                    "write a path, or postgres://USER@HOST:PORT/DATABASE#NAME (for a file with such a name: ./..)",
                )
            }
            _ => file(),
        }
    }

    fn server(rest: &str) -> Result<Self, String> {
        let (url, name) = rest.rsplit_once('#').unwrap_or((rest, NAME));
        let (url, whole) = (format!("postgres://{url}"), name);
        libpq::check(&url).map_err(|problem| format!("the {problem}"))?;
        let is_name = |name: &str| {
            (1..=LONGEST_NAME).contains(&name.len())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        let end = whole.rsplit_once('.').and_then(|(name, end)| Some((name, end.parse::<u32>().ok()?)));
        let (name, aside) = end.map_or((whole, None), |(name, end)| (name, Some(end)));
        let is_exact = aside.is_none_or(|end| end > 0 && whole == format!("{name}.{end}"));
        if !is_name(name) || !is_exact {
            return Err(format!(
                "behind the '#' must be a name of 1 to {LONGEST_NAME} of the characters A-Z, a-z, 0-9, '.', '_' and '-' \
                 (in the user name and password, write %23 for '#')"
            ));
        }
        Ok(Self::Postgres(AnchorRows { url, name: name.to_owned(), aside }))
    }
}

impl From<PathBuf> for AnchorAddress {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl From<&Path> for AnchorAddress {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl TryFrom<String> for AnchorAddress {
    type Error = BadAddress;

    fn try_from(text: String) -> Result<Self, BadAddress> {
        Self::parse(text.as_ref())
    }
}

impl fmt::Display for AnchorAddress {
    /// The path, or the host, port, database and name: never a user, password or parameter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Postgres(AnchorRows { url, name, aside: None }) => {
                write!(f, "{}#{name}", libpq::shown(url))
            }
            Self::Postgres(AnchorRows { url, name, aside: Some(incarnation) }) => {
                write!(f, "{}#{name}.{incarnation}", libpq::shown(url))
            }
        }
    }
}

impl fmt::Debug for AnchorAddress {
    /// As [`fmt::Display`]: without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnchorAddress({self})")
    }
}

impl fmt::Debug for AnchorRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnchorRows").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<AnchorAddress, BadAddress> {
        AnchorAddress::parse(text.as_ref())
    }

    #[test]
    fn a_path_is_a_file() {
        for path in [
            "a",
            "a.anchor",
            "/a b",
            "./postgres://h/d",
            "/a=b",
            "./a=b",
            "C:\\a",
            "a#b",
            "../a@b",
            "./u;password",
        ] {
            assert_eq!(parse(path), Ok(AnchorAddress::File(path.into())), "{path}");
            assert_eq!(parse(path).unwrap().to_string(), path);
        }
    }

    #[test]
    fn an_anchor_in_a_database_has_a_name_and_shows_no_password() {
        let longest = "x".repeat(64);
        for (text, shown, name, aside) in [
            ("postgres://u:secret@h:5/d", "postgres://h:5/d#anchor", "anchor", None),
            ("postgres://u:secret@h/d#Node-1_a", "postgres://h/d#Node-1_a", "Node-1_a", None),
            ("POSTGRESQL://h/d?password=secret#a.b", "postgres://h/d#a.b", "a.b", None),
            ("postgres://u:secret@h/d#a.1", "postgres://h/d#a.1", "a", Some(1)),
            ("postgres://h/d#a.1.42", "postgres://h/d#a.1.42", "a.1", Some(42)),
            ("postgres://u:se#cret@h/d#a", "postgres://..#a", "a", None),
            (&format!("postgres://h/d#{longest}"), &format!("postgres://h/d#{longest}"), &longest, None),
        ] {
            let address = parse(text).unwrap();
            let AnchorAddress::Postgres(rows) = &address else { panic!("{text}") };
            assert_eq!((&*rows.name, rows.aside, &*address.to_string()), (name, aside, shown), "{text}");
            assert!(!format!("{address:?} {rows:?} {rows:#?}").contains("secret"));
        }
    }

    #[test]
    fn what_is_neither_is_refused_and_not_repeated() {
        for text in [
            "",
            "mysql://u:secret@h/d",
            "sqlite://secret",
            "sqlite:secret",
            "postgres:h/secret",
            "host=h password=secret",
            "u:secret@h/d",
            "h;u;secret",
            "postgres://u:secret@h/d#",
            "postgres://u:secret@h/d#a b",
            "postgres://u:secret@h/d#a/b",
            "postgres://u:secret@h/d#ä",
            "postgres://u:secret@h/d#a#",
            "postgres://u:secret@h/d#.1",
            "postgres://u:secret@h/d#a.0",
            "postgres://u:secret@h/d#a.01",
            "postgres://u:secret#x@h/d",
            "postgres://h/d?schema=secret#a",
            "postgres://h/d;password=secret#a",
            &format!("postgres://u:secret@h/d#{}", "x".repeat(65)),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{text}: {error}");
        }
    }
}
