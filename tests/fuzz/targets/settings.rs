//! What people type: the settings file, the command line, the address of the database.

use std::{ffi::OsStr, iter::once, os::unix::ffi::OsStrExt, path::Path};

use signwave::{
    cli::{self, Options},
    store::{DatabaseUrl, StoreError},
};

/// `signwave.toml`.
pub fn config_file(bytes: &[u8]) {
    let Some(text) = super::text(bytes) else { return };
    match Options::parse(text, Path::new("f")) {
        Ok(file) => {
            let shown = format!("{file:?}");
            assert!(
                ["None", "Some(..)"].iter().any(|is| shown.contains(&format!("database: {is}"))),
                "{shown}"
            );
            if let Err(error) = file.signing.check() {
                super::readable(&error.to_string());
            }
        }
        Err(error) => {
            let error = error.to_string();
            super::readable(&error);
            let line =
                error.strip_prefix("f:").and_then(|rest| rest.split(':').next()?.parse::<usize>().ok());
            let lines = 1 + text.matches('\n').count();
            assert!(line.is_some_and(|line| (1..=lines).contains(&line)), "{error}");
        }
    }
}

/// The words of a command line, one a line: numbers, durations, names and ids among them.
pub fn arguments(bytes: &[u8]) {
    let words = bytes.split(|byte| *byte == b'\n').map(OsStr::from_bytes);
    match cli::parse(once(OsStr::new("signwave")).chain(words)) {
        Ok(cli) => {
            let shown = format!("{cli:?}");
            assert!(
                ["None", "Some(..)"].iter().any(|is| shown.contains(&format!("database: {is}"))),
                "{shown}"
            );
        }
        Err(error) if error.exit_code() == 0 => {} // help was asked for
        Err(error) => error.to_string().lines().for_each(super::readable),
    }
}

/// Paths and URLs: what is shown of one is nothing but host, port and name.
pub fn database_url(bytes: &[u8]) {
    let Some(text) = super::text(bytes) else { return };
    match DatabaseUrl::parse(text) {
        Ok(DatabaseUrl::Sqlite(path)) => {
            let path = path.to_str().expect("it was text");
            assert!(!path.is_empty() && !path.contains(char::is_control) && !path.starts_with(':'));
            assert!(text.trim().ends_with(path));
            if !path.contains('?') {
                let again = DatabaseUrl::parse(&format!("sqlite://{path}"));
                assert_eq!(again, Ok(DatabaseUrl::Sqlite(path.into())));
            }
        }
        Ok(url @ DatabaseUrl::Postgres(_)) => {
            let (shown, debug) = (url.to_string(), format!("{url:?}"));
            assert_eq!(debug, format!("DatabaseUrl({shown})"));
            let shown = shown.strip_prefix("postgres://").expect("it says what it is");
            // What libpq's key=value form becomes is new.
            let Some((_, rest)) = text.split_once("://").filter(|(scheme, _)| !scheme.contains('=')) else {
                return;
            };
            let behind_user = rest.rsplit_once('@').map_or(rest, |(_, behind)| behind);
            assert!(shown == ".." || behind_user.starts_with(shown), "{shown} of {text}");
            assert!(!shown.contains(['@', '?', '#']), "{shown}");
        }
        Err(StoreError::BadUrl(reason)) => {
            // It may repeat the scheme, and nothing of what follows.
            let text = text.trim();
            let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
            let rest = text.get(scheme.len() + 1..).unwrap_or_default();
            assert!(rest.len() < 24 || !reason.replace(scheme, "").contains(rest), "{reason}");
            super::readable(&reason);
        }
        Err(error) => panic!("{error:?}"),
    }
}
