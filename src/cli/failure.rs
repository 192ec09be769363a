//! How an error reaches a person: one sentence, the causes under `-v`, and an exit code.

use std::process::ExitCode;

use super::{limits, shown::plain};
use crate::config::SettingsError;

/// The command cannot mean what it says: exit code 2. The text says what to write instead.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Something was found to be wrong, and has been printed already: exit code 1 and no more words.
#[derive(Debug, thiserror::Error)]
#[error("problems were found")]
pub struct ProblemsFound;

/// A signal stopped a command that was to do all there is to do, and something is left: exit code 128 + the
/// signal's number, as a shell has it, and no more words.
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
    // A sentence that names its cause already need not be followed by it.
    causes.dedup_by(|cause, sentence| sentence.contains(cause.as_str()));
    let text = if verbose { causes.join("\n  because: ") } else { causes.swap_remove(0) };
    let advice = limits::advice();
    if json {
        log::error!("{text}{advice}");
    } else {
        eprintln!("signwave: {text}{advice}");
    }
    if error.is::<Usage>() || error.is::<SettingsError>() { ExitCode::from(2) } else { ExitCode::FAILURE }
}

/// Whether an output went away because its reader had enough: no error, as with `export | head`.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
