//! The formats of files with records.

/// How a file of records is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON lines: one object a line.
    Jsonl,
    /// CSV as in RFC 4180, with a header.
    Csv,
    /// Each line is a payload.
    Lines,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Jsonl, Self::Csv, Self::Lines];

    /// The name, as the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Lines => "lines",
        }
    }
}
