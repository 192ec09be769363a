//! `signwave webhooks add`.

use anyhow::{Result, bail};
use clap::Args;

use super::{keyring, show_once};
use crate::{
    cli::{context::Context, failure::Usage, run::system, user},
    domain::WebhookName,
    signer::WebhookSecret,
    store::{AddWebhookVerdict, NewWebhook, WebhookRow},
    webhooks::Endpoint,
};

/// Add a webhook and print its secret, once.
#[derive(Args, Debug)]
#[command(after_help = "\
'signwave serve' then sends a POST request whenever signatures are stored. Its body says how far the
feed is:
  {\"type\":\"signatures.available\",\"timestamp\":\"2026-11-22T12:00:00.000Z\",
   \"data\":{\"feed\":\"5f3c09a1be72\",\"position\":\"5f3c09a1be72.41\"}}
The receiver keeps the position that it has read up to, and reads what comes after it:
GET /v1/signatures?after=POSITION, or 'signwave export --after POSITION'. A message that is lost is
made up for by the next.

Each message is signed as Standard Webhooks 1.0.0 has it, in the headers webhook-id,
webhook-timestamp and webhook-signature. The secret is printed alone on standard output. The
database has it sealed under the master key, so nothing can show it again.

An address must be https and public. With --allow-internal, it may be http, and one of this machine
or of a private network. Use that only for a server that you know.

Examples:
  signwave webhooks add https://example.org/hooks/signatures --name billing > billing.secret
  signwave webhooks add http://localhost:8080/hook --name local --allow-internal")]
pub struct Add {
    /// Where to send messages
    #[arg(value_name = "URL")]
    url: String,
    /// What to call it: characters a to z, 0 to 9 and '-'
    #[arg(long, value_name = "NAME")]
    name: WebhookName,
    /// Let the address be internal, or http
    #[arg(long)]
    allow_internal: bool,
}

impl Add {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let checked = system()?.block_on(Endpoint::check(&self.url, self.allow_internal));
        let endpoint = checked.map_err(|error| Usage(error.to_string()))?;
        let database = context.open()?;
        let (name, secret) = (self.name.clone(), WebhookSecret::generate());
        let sealed_secret = keyring(context, &database)?.seal_webhook_secret(&name, &secret)?;
        let (url, allow_internal) = (endpoint.as_str().to_owned(), self.allow_internal);
        let new = NewWebhook { name: name.clone(), url, allow_internal, sealed_secret };
        match database.store.add_webhook(&new, &user::by())? {
            AddWebhookVerdict::Added(row) => {
                show_once(&name, &secret)?;
                log::info!(
                    "webhook {name} is told of what comes after position {}; its secret is shown only now",
                    row.position
                );
                Ok(())
            }
            AddWebhookVerdict::NameTaken => {
                bail!("there is a webhook {name} already: remove it, or take another name")
            }
            AddWebhookVerdict::TooMany => {
                bail!("there are {} webhooks already, which is the most: remove one", WebhookRow::MOST)
            }
        }
    }
}
