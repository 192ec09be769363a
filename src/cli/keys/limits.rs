//! The limits of a key as arguments, where keys are made and where they are changed.

use std::str::FromStr;

use anyhow::{Result, bail};
use clap::Args;

use crate::{
    cli::failure::Usage,
    domain::{KeyLimits, KeyState, LimitChange, MaxSignatures, Time},
};

/// What limits a key.
#[derive(Args, Debug)]
pub(super) struct Limits {
    /// How many signatures a key may make in all, or 'none' for any number
    #[arg(long, value_name = "N", value_parser = limit::<MaxSignatures>)]
    max_signatures: Option<Limit<MaxSignatures>>,
    /// From when on a key may sign: a time in UTC such as 2027-01-31T12:00:00Z, or 'none'
    #[arg(long, value_name = "TIME", value_parser = limit::<Time>)]
    not_before: Option<Limit<Time>>,
    /// From when on a key signs no more: a time in UTC, or 'none'
    #[arg(long, value_name = "TIME", value_parser = limit::<Time>)]
    not_after: Option<Limit<Time>>,
}

/// A limit as it is written: `none`, or its value.
#[derive(Clone, Copy, Debug)]
struct Limit<T>(Option<T>);

fn limit<T: FromStr>(text: &str) -> Result<Limit<T>, T::Err> {
    if text == "none" { Ok(Limit(None)) } else { text.parse().map(|value| Limit(Some(value))) }
}

impl Limits {
    /// The limits to set; the others stay.
    pub(super) fn change(&self) -> LimitChange {
        LimitChange {
            max_signatures: self.max_signatures.map(|limit| limit.0),
            not_before: self.not_before.map(|limit| limit.0),
            not_after: self.not_after.map(|limit| limit.0),
        }
    }

    /// The limits of a key that is made.
    ///
    /// # Errors
    /// When no key can have them.
    pub(super) fn of_new_key(&self) -> Result<KeyLimits> {
        match KeyLimits::default().changed(&self.change(), KeyState::Active, 0, 0) {
            Ok(limits) => Ok(limits),
            Err(refusal) => bail!(Usage(format!("no key can have these limits: {refusal}"))),
        }
    }
}
