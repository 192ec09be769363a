//! `signwave webhooks rotate`.

use anyhow::Result;
use clap::Args;

use super::{keyring, show_once, unknown};
use crate::{
    cli::{context::Context, user},
    domain::WebhookName,
    signer::WebhookSecret,
    webhooks::OVERLAP,
};

/// Give a webhook a new secret and print it, once.
#[derive(Args, Debug)]
#[command(after_help = "\
For 24 hours, each message has two signatures, one with the new secret and one with the previous
one, so that the receiver can be changed in the meantime. A secret from before the last rotation
ends at once.

Example:
  signwave webhooks rotate billing > billing.secret")]
pub struct Rotate {
    /// The webhook
    #[arg(value_name = "NAME")]
    name: WebhookName,
}

impl Rotate {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let (database, secret) = (context.open()?, WebhookSecret::generate());
        if database.store.webhook(&self.name)?.is_none() {
            return Err(unknown(&self.name));
        }
        let sealed = keyring(context, &database)?.seal_webhook_secret(&self.name, &secret)?;
        if !database.store.rotate_webhook(&self.name, &sealed, OVERLAP, &user::by())? {
            return Err(unknown(&self.name));
        }
        show_once(&self.name, &secret)?;
        log::info!(
            "webhook {} has a new secret, which is shown only now; the previous one signs, too, for 24 hours",
            self.name
        );
        Ok(())
    }
}
