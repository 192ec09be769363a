//! `signwave webhooks remove`.

use anyhow::Result;
use clap::Args;

use super::unknown;
use crate::{
    cli::{context::Context, user},
    domain::WebhookName,
};

/// Remove a webhook.
#[derive(Args, Debug)]
#[command(after_help = "\
Its secret and its position are deleted. A message that is under way still arrives.

Example:
  signwave webhooks remove billing")]
pub struct Remove {
    /// The webhook
    #[arg(value_name = "NAME")]
    name: WebhookName,
}

impl Remove {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        if !context.open()?.store.remove_webhook(&self.name, &user::by())? {
            return Err(unknown(&self.name));
        }
        log::info!("webhook {} is removed", self.name);
        Ok(())
    }
}
