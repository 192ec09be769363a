//! The command line as types. What each flag means is said here, once, and `--help` shows it.

use clap::{Parser, Subcommand};

use super::options::Common;

/// Signs every record of a database exactly once, in batches, with a pool of RSA keys.
#[derive(Debug, Parser)]
#[command(name = "signwave", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// What all commands share.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  signwave demo                           the whole thing on a throw-away database
  signwave migrate                        make signwave.db
  signwave keys generate --count 10       ten keys to sign with
  signwave import records.jsonl           records in
  signwave sign                           sign what is waiting
  signwave export -o signatures.jsonl     signatures out
  signwave verify                         check every signature and every promise

Settings come from flags, then the environment (SIGNWAVE_BATCH_SIZE for --batch-size, and so on;
DATABASE_URL too), then signwave.toml, then the defaults.
Exit codes: 0 done, 1 failed or problems found, 2 wrong usage, 130 or 143 stopped by SIGINT or
SIGTERM before the end ('serve' has no end: 0).";

/// One variant per command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show it all: make keys and records, sign, verify, say how fast
    Demo(super::demo::Demo),
    /// Run the service: sign records as they come, until stopped
    Serve(super::serve::Serve),
    /// Sign all that is waiting, then exit
    Sign(super::sign::Sign),
    /// Make the database, or bring it up to this version
    Migrate(super::migrate::Migrate),
    /// Fill a database with test keys and test records
    Seed(super::seed::Seed),
    /// Read records from a file, or from standard input with '-'
    Import(super::import::Import),
    /// Write the signatures that are stored
    Export(super::export::Export),
    /// Manage the keys
    #[command(subcommand)]
    Keys(super::keys::Keys),
    /// Check every signature and every promise
    Verify(super::verify::Verify),
    /// Show how far the work is
    Status(super::status::Status),
    /// Print shell completions
    Completions(super::completions::Completions),
}

#[cfg(test)]
mod tests {
    use clap::{Command as Program, CommandFactory};

    use super::*;

    #[test]
    fn nothing_is_hidden() {
        fn check(command: &Program) {
            assert!(!command.is_hide_set(), "{}", command.get_name());
            command.get_arguments().for_each(|arg| assert!(!arg.is_hide_set(), "{arg}"));
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
