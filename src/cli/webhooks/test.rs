//! `signwave webhooks test`.

use std::{
    io::{self, Write},
    sync::Arc,
    time::Instant,
};

use anyhow::{Result, bail};
use clap::Args;

use super::{keyring, unknown};
use crate::{
    cli::{context::Context, run::system},
    domain::WebhookName,
    webhooks::try_out,
};

/// Send a test message now.
#[derive(Args, Debug)]
#[command(after_help = "\
The message has the type webhook.test and is signed like any other. It is sent from this machine,
also to a webhook that is disabled, and changes nothing. The exit code is 0 if it was accepted.

Example:
  signwave webhooks test billing")]
pub struct Test {
    /// The webhook
    #[arg(value_name = "NAME")]
    name: WebhookName,
}

impl Test {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let database = context.open_to_read()?;
        let stored = database.store.webhook(&self.name)?.ok_or_else(|| unknown(&self.name))?;
        let (keyring, begun) = (Arc::new(keyring(context, &database)?), Instant::now());
        let answer = system()?.block_on(try_out(&stored, &keyring))?;
        if !answer.is_success() {
            bail!("the server answered {answer}: it must answer 2xx when it has the message");
        }
        Ok(writeln!(io::stdout().lock(), "{answer}, after {} ms", begun.elapsed().as_millis())?)
    }
}
