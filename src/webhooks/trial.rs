//! One message to a webhook; and a trial: a test message, whatever the state of the webhook, which changes nothing.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use actix_rt::task::spawn_blocking;

use super::{answer::Answer, client::Client, endpoint::Endpoint, message::Message, send_error::SendError};
use crate::{
    actors::clock::time_of_day,
    domain::Time,
    signer::{Keyring, WebhookSecret},
    store::StoredWebhook,
};

/// How long the secret before a rotation signs, too.
pub const OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// How long the server may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Sends a test message now. Returns what the server answered.
///
/// # Errors
/// When there is no answer.
pub async fn try_out(webhook: &StoredWebhook, keyring: &Arc<Keyring>) -> Result<Answer, SendError> {
    let now = time_of_day().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Time::from_millis(u64::try_from(now.as_millis()).unwrap_or_default());
    let message = Message::test(&webhook.name, &now.to_string());
    sent(&Client::default(), keyring, webhook, &message, LIMIT).await
}

/// Signs a message with the secrets of a webhook, and sends it there.
pub(super) async fn sent(
    client: &Client,
    keyring: &Arc<Keyring>,
    webhook: &StoredWebhook,
    message: &Message,
    limit: Duration,
) -> Result<Answer, SendError> {
    let endpoint = Endpoint::parse(&webhook.url, webhook.allow_internal)?;
    let secrets = secrets(Arc::clone(keyring), webhook.clone()).await?;
    client.send(&endpoint, message, &secrets, limit).await
}

/// The secrets that sign a message, the newest first. The master key may have to be read, by a command even, so a thread
/// that may wait opens them.
async fn secrets(keyring: Arc<Keyring>, webhook: StoredWebhook) -> Result<Vec<WebhookSecret>, SendError> {
    let open = move || {
        let sealed = [Some(&webhook.sealed_secret), webhook.previous_secret.as_ref()];
        let opened = sealed.into_iter().flatten();
        opened.map(|sealed| keyring.unseal_webhook_secret(&webhook.name, sealed)).collect::<Result<_, _>>()
    };
    let opened = spawn_blocking(open).await;
    let opened = opened.map_err(|_| SendError::Broken("the secret could not be opened".to_owned()))?;
    opened.map_err(|error| SendError::Secret(error.to_string()))
}
