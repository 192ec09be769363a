//! The names of the formats as values of `--format`.
//!
//! The values have no help, because clap would show it, and --help would be three times as long.

use clap::{ValueEnum, builder::PossibleValue};

use crate::formats::{rows, signatures};

impl ValueEnum for rows::Format {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl ValueEnum for signatures::Format {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}
