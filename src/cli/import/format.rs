//! The formats of files with records.

use clap::ValueEnum;

/// How a file of records is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "clap would show it, and --help would be three times as long")]
pub enum Format {
    Jsonl,
    Csv,
    Lines,
}

impl Format {
    /// The name, as the command line has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Lines => "lines",
        }
    }
}
