//! `signwave webhooks`: manages whom the service tells of new signatures.

mod add;
mod enable;
mod list;
mod remove;
mod rotate;
mod test;

pub use list::as_json;

use std::io::{self, Write};

use anyhow::{Result, anyhow};
use clap::Subcommand;

use super::context::{Context, Database};
use crate::{
    domain::WebhookName,
    signer::{Keyring, WebhookSecret},
};

/// One variant per command.
#[derive(Debug, Subcommand)]
pub enum Webhooks {
    /// Add a webhook and print its secret, once
    Add(add::Add),
    /// List all webhooks
    List(list::List),
    /// Send a test message now
    Test(test::Test),
    /// Give a webhook a new secret and print it, once
    Rotate(rotate::Rotate),
    /// Enable a webhook that was disabled, and send to it at once
    Enable(enable::Enable),
    /// Remove a webhook
    Remove(remove::Remove),
}

impl Webhooks {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        match self {
            Self::Add(add) => add.run(context),
            Self::List(list) => list.run(context),
            Self::Test(test) => test.run(context),
            Self::Rotate(rotate) => rotate.run(context),
            Self::Enable(enable) => enable.run(context),
            Self::Remove(remove) => remove.run(context),
        }
    }
}

/// What seals and opens secrets.
fn keyring(context: &Context, database: &Database) -> Result<Keyring> {
    Ok(Keyring::of(context.signer(), context.master_keys(database)?))
}

/// Prints a secret alone on stdout. Nothing else ever shows it. A reader that has closed the output is an error here,
/// because the secret would be lost.
fn show_once(name: &WebhookName, secret: &WebhookSecret) -> Result<()> {
    let (text, mut out) = (secret.text(), io::stdout().lock());
    out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()).map_err(
        |error| {
            anyhow!("webhook {name} is stored, but its secret could not be printed ({error}): rotate it, or remove it")
        },
    )
}

/// The error for a name that no webhook has.
fn unknown(name: &WebhookName) -> anyhow::Error {
    anyhow!("there is no webhook {name}: 'signwave webhooks list' shows the names")
}
