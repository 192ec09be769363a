//! A trial: one test message to a webhook, whatever its state, which changes nothing.

use std::time::{Duration, UNIX_EPOCH};

use super::{
    answer::Answer, client::Client, delivery::opened, endpoint::Endpoint, message::Message,
    send_error::SendError,
};
use crate::{
    actors::clock::time_of_day,
    domain::Time,
    signer::{Keyring, SignerError},
    store::StoredWebhook,
};

/// How long the secret before a rotation signs, too.
pub const OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// How long the server may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Why there is no answer to a test message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrialError {
    /// It could not be signed.
    #[error("{0}")]
    Secret(#[from] SignerError),
    /// It could not be sent.
    #[error("{0}")]
    Send(#[from] SendError),
}

/// Sends a test message now. Returns what the server answered.
///
/// # Errors
/// When there is no answer.
pub async fn try_out(webhook: &StoredWebhook, keyring: &Keyring) -> Result<Answer, TrialError> {
    let secrets = opened(webhook, |sealed| keyring.unseal_webhook_secret(&webhook.name, sealed))?;
    let endpoint = Endpoint::parse(&webhook.url, webhook.allow_internal).map_err(SendError::from)?;
    let now = time_of_day().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Time::from_millis(u64::try_from(now.as_millis()).unwrap_or_default());
    let message = Message::test(&webhook.name, &now.to_string());
    Ok(Client::default().send(&endpoint, &message, &secrets, LIMIT).await?)
}
