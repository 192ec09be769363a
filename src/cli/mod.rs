//! Layer 4, the command line: what users type and read.
//!
//! Results go to stdout, as JSON if requested. Logs and progress go to stderr.
//! `anyhow` is used here and nowhere else.

mod args;
mod audit_log;
mod completions;
mod config_file;
mod confirm;
mod context;
mod custody;
mod demo;
mod entrance;
mod export;
mod failure;
mod formats;
mod given;
mod import;
mod keys;
mod ledger;
mod limits;
mod listening;
mod logging;
mod master_key;
mod migrate;
mod options;
mod other_engine;
mod outlets;
mod panicking;
mod progress;
pub mod raw;
mod refused;
mod run;
mod schemes;
mod seed;
mod serve;
mod sign;
mod status;
mod tokens;
mod user;
mod verify;
mod webhooks;

use std::{env, ffi::OsString, process::ExitCode};

use anyhow::Result;
use clap::{
    CommandFactory, Parser,
    error::{ContextValue, ErrorKind},
};
use indicatif::MultiProgress;

pub use args::Cli;
use args::Command;
use context::Context;
use options::LogFormat;
pub use options::Options;

use crate::{formats::shown::shown, signer::token::protocol::TOKEN_HOST, token_host};

/// Runs the command line of this process, errors included.
pub fn main() -> ExitCode {
    // Before all else, because a process that holds a token has neither a command line nor settings.
    if env::args_os().skip(1).eq([TOKEN_HOST]) {
        return token_host::run();
    }
    limits::raise();
    panicking::guard(run_command_line)
}

fn run_command_line() -> ExitCode {
    let Cli { common, verbose, command } = match parse(env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let given = common.over(Options::default());
    let options = config_file::read(given.config.as_deref()).map(|file| common.over(file));
    let log_format = options.as_ref().map_or(given.log_format, |options| options.log_format);
    let bars = MultiProgress::new();
    logging::init(log_format, verbose, &bars);
    let context = options.map(|options| Context::new(options, given.database.is_some(), bars));
    match context.and_then(|context| run(&context, &command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if failure::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error, verbose > 0, log_format == LogFormat::Json),
    }
}

/// Reads a command line, the program's name first.
///
/// # Errors
/// When help is requested, or the usage is wrong. Arguments in the message are sanitised, because a user may have
/// given an address with a password in the wrong place.
pub fn parse(arguments: impl IntoIterator<Item: Into<OsString> + Clone>) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(arguments).map_err(|error| {
        // If an argument must be sanitised, the value parser's message is left out, because it may repeat the argument.
        let is_fit =
            |value: &ContextValue| !matches!(value, ContextValue::String(text) if shown(text) != *text);
        if error.context().all(|(_, value)| is_fit(value)) {
            return error;
        }
        let kind =
            if error.kind() == ErrorKind::ValueValidation { ErrorKind::InvalidValue } else { error.kind() };
        let mut fit = clap::Error::new(kind).with_cmd(&Cli::command());
        for (kind, value) in error.context() {
            let value = match value {
                ContextValue::String(text) => ContextValue::String(shown(text)),
                ContextValue::StyledStrs(_) => continue, // a suggestion, which repeats the argument
                value => value.clone(),
            };
            fit.insert(kind, value);
        }
        fit
    })
}

fn run(context: &Context, command: &Command) -> Result<()> {
    let program = Cli::command();
    config_file::check_environment(&program)?;
    match command {
        Command::Demo(demo) => demo.run(context),
        Command::Serve(serve) => serve.run(context),
        Command::Sign(sign) => sign.run(context),
        Command::Migrate(migrate) => migrate.run(context),
        Command::Seed(seed) => seed.run(context),
        Command::Import(import) => import.run(context),
        Command::Refused(refused) => refused.run(context),
        Command::Export(export) => export.run(context),
        Command::Keys(keys) => keys.run(context),
        Command::Custody(custody) => custody.run(context),
        Command::Tokens(tokens) => tokens.run(context),
        Command::Webhooks(webhooks) => webhooks.run(context),
        Command::Outlets(outlets) => outlets.run(context),
        Command::AuditLog(audit_log) => audit_log.run(context),
        Command::Ledger(ledger) => ledger.run(context),
        Command::Verify(verify) => verify.run(context),
        Command::Status(status) => status.run(context),
        Command::Completions(completions) => completions.run(program),
    }
}

/// Help and version go to stdout with exit code 0, wrong usage to stderr with 2: clap knows which.
fn usage(error: &clap::Error) -> ExitCode {
    // If this cannot be written, neither can a report of the failure.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
