//! How an error is reported: one sentence, its causes with `-v`, and an exit code.

use std::process::ExitCode;

use super::limits;
use crate::{config::SettingsError, formats::shown::plain, store::StoreError};

/// Wrong usage: exit code 2. (A database that is older than its anchor: 3.) The text says what to write instead.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Problems were found, and have been printed already. The exit code is 1, and nothing more is printed.
#[derive(Debug, thiserror::Error)]
#[error("problems were found")]
pub struct ProblemsFound;

/// A signal stopped the command while work was left. The exit code is 128 + the signal's number, as in a shell,
/// and nothing more is printed.
#[derive(Debug, thiserror::Error)]
#[error("stopped by signal {0}")]
pub struct StoppedBy(pub i32);

/// Prints an error and chooses the exit code.
pub fn report(error: &anyhow::Error, verbose: bool, json: bool) -> ExitCode {
    if error.is::<ProblemsFound>() {
        return ExitCode::FAILURE;
    }
    if let Some(StoppedBy(signal)) = error.downcast_ref() {
        return u8::try_from(128 + signal).map_or(ExitCode::FAILURE, ExitCode::from);
    }
    let mut causes: Vec<_> = error.chain().map(|cause| plain(&cause.to_string())).collect();
    // Leave out a cause that the sentence before it contains.
    causes.dedup_by(|cause, sentence| sentence.contains(cause.as_str()));
    let text = if verbose { causes.join("\n  because: ") } else { causes.swap_remove(0) };
    let advice = limits::advice();
    if json {
        log::error!("{text}{advice}");
    } else {
        eprintln!("signwave: {text}{advice}");
    }
    if error.is::<Usage>() || error.is::<SettingsError>() {
        ExitCode::from(2)
    } else if error.chain().any(|cause| matches!(cause.downcast_ref(), Some(StoreError::Behind(_)))) {
        ExitCode::from(3)
    } else {
        ExitCode::FAILURE
    }
}

/// Whether the reader of the output closed it, as in `export | head`. This is not an error.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
