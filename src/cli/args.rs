//! The command line as types. The comment of each command and flag is its text in `--help`.

use clap::{ArgAction, Parser, Subcommand};

use super::{given::Given, options::Options};

/// Signs every record of a database exactly once, in batches, with a pool of RSA keys.
#[derive(Debug, Parser)]
#[command(name = "signwave", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// The options of every command.
    #[command(flatten)]
    pub common: Given<Options>,
    /// Print more: causes of errors (-v), debug log (-vv), trace log (-vvv)
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Common options")]
    pub verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  signwave demo                           try everything on a temporary database
  signwave migrate                        make signwave.db
  signwave keys generate --count 10       make ten keys
  signwave import records.jsonl           import records
  signwave sign                           sign all waiting records
  signwave export -o signatures.jsonl     export the signatures
  signwave verify                         check every signature and every promise

A flag overrides its environment variable (SIGNWAVE_BATCH_SIZE for --batch-size), and the variable
overrides signwave.toml. DATABASE_URL is read if neither --database nor SIGNWAVE_DATABASE is set.
Exit codes: 0 done, 1 failed or problems found, 2 wrong usage, 3 the database is older than its
anchor, or another one, 130 or 143 stopped by SIGINT or SIGTERM before the work was done ('serve'
exits with 0 when stopped).";

/// One variant per command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try everything: make keys and records, sign, verify, print the speed
    Demo(super::demo::Demo),
    /// Run the service: sign records as they come, until stopped
    Serve(super::serve::Serve),
    /// Sign all waiting records, then exit
    Sign(super::sign::Sign),
    /// Make the database, or bring it up to this version
    Migrate(super::migrate::Migrate),
    /// Fill a database with test keys and test records
    Seed(super::seed::Seed),
    /// Read records from a file, or from standard input with '-'
    Import(super::import::Import),
    /// Look after messages of a broker that became no record
    #[command(subcommand)]
    Refused(super::refused::Refused),
    /// Write the stored signatures
    Export(super::export::Export),
    /// Manage the keys
    #[command(subcommand)]
    Keys(super::keys::Keys),
    /// Look at the places that keep private keys outside the database
    #[command(subcommand)]
    Custody(super::custody::Custody),
    /// Manage who may call the API
    #[command(subcommand)]
    Tokens(super::tokens::Tokens),
    /// Manage whom the service tells of new signatures
    #[command(subcommand)]
    Webhooks(super::webhooks::Webhooks),
    /// Look after the ways out of the feed: queues and webhooks
    #[command(subcommand)]
    Outlets(super::outlets::Outlets),
    /// Print what others need to check the ledger
    #[command(subcommand)]
    Ledger(super::ledger::Ledger),
    /// Show who changed keys, tokens, webhooks and outlets
    AuditLog(super::audit_log::AuditLog),
    /// Check every signature and every promise
    Verify(super::verify::Verify),
    /// Show the progress of the work
    Status(super::status::Status),
    /// Print shell completions
    Completions(super::completions::Completions),
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::{Arg, Command as Program, CommandFactory};

    use super::*;

    const EXAMPLE: &str = include_str!("../../signwave.example.toml");
    const README: &str = include_str!("../../README.md");

    fn parse(words: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from([&["signwave"], words].concat())
    }

    /// Every setting with the command that has it, and what `--help` calls its default.
    fn settings() -> Vec<(String, String, String)> {
        let program = Cli::command();
        let of = |command: &Program| {
            let name = command.get_name().to_owned();
            let setting = move |arg: &Arg| {
                arg.get_env()?;
                let help = arg.get_help()?.to_string();
                let (_, default) = help.split_once("[default: ")?;
                Some((name.clone(), arg.get_long()?.to_owned(), default.trim_end_matches(']').to_owned()))
            };
            command.get_arguments().filter_map(setting).collect::<Vec<_>>()
        };
        let commands = ["serve", "import"].map(|name| program.find_subcommand(name).unwrap());
        let mut all: Vec<_> = commands.into_iter().flat_map(of).collect();
        // Any command has the common ones.
        all.extend(of(&program).into_iter().map(|(_, setting, default)| ("status".into(), setting, default)));
        all
    }

    /// Whether giving this default changes nothing; `None` where it is described in words.
    fn is_default(command: &str, setting: &str, default: &str) -> Option<bool> {
        let value = default.split(',').next().filter(|_| default.contains(", which")).unwrap_or(default);
        if value.contains(' ') {
            return None;
        }
        let file: &[&str] = if command == "import" { &["records.csv"] } else { &[] };
        let flag = format!("--{setting}={value}");
        let shown = |words: &[&str]| format!("{:?}", parse(&[&[command], words, file].concat()).unwrap());
        Some(shown(&[]) == shown(&[&flag]))
    }

    #[test]
    fn help_the_example_file_and_the_readme_say_what_the_defaults_are() {
        let (mut in_words, rows) = (Vec::new(), readme());
        for (command, setting, default) in settings() {
            match is_default(&command, &setting, &default) {
                Some(is) => assert!(is || setting == "database" && default == Options::DATABASE, "{setting}"),
                None => in_words.push(setting.clone()),
            }
            let is_named = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{setting} ="));
            assert!(EXAMPLE.lines().any(is_named) || setting == "config", "{setting}");
            if let Some((_, said)) = rows.iter().find(|(name, _)| *name == setting) {
                assert!(is_default(&command, &setting, said) != Some(false), "README: {setting}");
            }
        }
        assert_eq!(
            in_words,
            [
                "listen",
                "signers",
                "prefetch",
                "node-name",
                "config",
                "master-key-file",
                "next-master-key-file"
            ]
        );
        let example = Options::parse(EXAMPLE, Path::new("x.toml")).unwrap();
        assert_eq!(example.database.clone().unwrap().0, Options::DATABASE);
        assert_eq!(Options { database: None, ..example }, Options::default());
    }

    /// The settings in the README with their defaults.
    fn readme() -> Vec<(String, String)> {
        let rows = README.lines().filter_map(|line| line.strip_prefix("| `--")?.split_once(" | "));
        let rows: Vec<_> = rows
            .flat_map(|(names, rest)| {
                let defaults = rest.split(" | ").next().unwrap().split(", ").map(str::to_owned);
                let names = names.split(", ").map(|name| name.trim_matches(['`', '-']).to_owned());
                names.zip(defaults).collect::<Vec<_>>()
            })
            .collect();
        assert!(rows.len() > 10, "its form has changed: {rows:?}");
        rows
    }

    #[test]
    fn nothing_is_hidden() {
        fn check(command: &Program) {
            assert!(!command.is_hide_set(), "{}", command.get_name());
            command.get_arguments().for_each(|arg| assert!(!arg.is_hide_set(), "{}", arg.get_id()));
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
