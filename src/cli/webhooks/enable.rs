//! `signwave webhooks enable`.

use anyhow::Result;
use clap::Args;

use super::unknown;
use crate::{
    cli::{context::Context, user},
    domain::WebhookName,
};

/// Enable a webhook that was disabled, and send to it at once.
#[derive(Args, Debug)]
#[command(after_help = "\
A webhook is disabled when its server answers 410 Gone, after ten failures in a row, which takes
three days, and when its position is not in the feed, because the database was restored. In the
last case it goes on at the end of the feed. A webhook that waits after a failure is sent to at once,
too.

Example:
  signwave webhooks enable billing")]
pub struct Enable {
    /// The webhook
    #[arg(value_name = "NAME")]
    name: WebhookName,
}

impl Enable {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        if !context.open()?.store.enable_webhook(&self.name, &user::by())? {
            return Err(unknown(&self.name));
        }
        log::info!("webhook {} is enabled", self.name);
        Ok(())
    }
}
