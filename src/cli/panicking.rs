//! Reports a panic, which is a bug or a lack of resources, in one sentence, and ends with exit code 1.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    process::ExitCode,
};

use crate::formats::shown::plain;

/// Runs `command`. From now on a panic in any thread is reported in one sentence, in the log once there is one.
pub fn guard(command: impl FnOnce() -> ExitCode) -> ExitCode {
    panic::set_hook(Box::new(say));
    panic::catch_unwind(AssertUnwindSafe(command)).unwrap_or(ExitCode::FAILURE)
}

fn say(panic: &PanicHookInfo<'_>) {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let message = plain(text.unwrap_or("a panic without a message"));
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let sentence = if message.contains("failed to spawn thread") {
        format!(
            "the operating system gives this process no more threads: raise 'ulimit -u', or give it more memory ({message})"
        )
    } else {
        format!("this is a bug in signwave ({place}), please report it: {message}")
    };
    if log::log_enabled!(log::Level::Error) {
        log::error!("{sentence}");
    } else {
        eprintln!("signwave: {sentence}");
    }
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        eprintln!("{backtrace}");
    }
}
