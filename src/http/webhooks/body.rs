//! A webhook as the API shows it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{http::names::WebhookStateName, store::WebhookRow};

/// A webhook, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookBody {
    /// Its name.
    name: String,
    /// Where messages are sent.
    url: String,
    /// Whether that may be an internal address, which only the command line can allow.
    allow_internal: bool,
    /// `enabled` or `disabled`.
    #[schema(value_type = WebhookStateName)]
    state: &'static str,
    /// Why it is disabled, or why the last message failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    /// Messages that failed in a row.
    failures: u64,
    /// When a message is sent again, after a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_at: Option<String>,
    /// When a message was accepted last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    delivered_at: Option<String>,
    /// When it was added.
    created_at: String,
    /// Until when the secret before the last rotation signs, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    previous_until: Option<String>,
    /// The position of the last message that was accepted, or that of the end of the feed when it was added.
    position: String,
    /// Signed batches behind that position.
    lag: u64,
}

impl From<&WebhookRow> for WebhookBody {
    fn from(row: &WebhookRow) -> Self {
        Self {
            name: row.name.to_string(),
            url: row.url.clone(),
            allow_internal: row.allow_internal,
            state: row.state.name(),
            reason: row.reason.clone(),
            failures: row.failures,
            retry_at: row.retry_at.clone(),
            delivered_at: row.delivered_at.clone(),
            created_at: row.created_at.clone(),
            previous_until: row.previous_until.clone(),
            position: row.position.to_string(),
            lag: row.lag,
        }
    }
}

/// A webhook that was just added or rotated. The secret is shown this once.
#[derive(Serialize, ToSchema)]
#[schema(as = IssuedWebhook)]
pub struct NewWebhookBody {
    /// The secret that signs messages, as Standard Webhooks writes it.
    pub secret: String,
    /// The webhook.
    #[serde(flatten)]
    pub webhook: WebhookBody,
}

impl Drop for NewWebhookBody {
    fn drop(&mut self) {
        use zeroize::Zeroize as _;
        self.secret.zeroize();
    }
}
