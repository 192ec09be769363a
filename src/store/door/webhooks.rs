//! Webhooks: where messages about new signatures are sent, and what became of them.

use std::time::Duration;

use super::{AdvanceVerdict, Claim, Reseal};
use crate::{
    domain::{By, FeedId, NodeId, Place, Position, WebhookName, WebhookState},
    store::StoreError,
};

/// The webhooks. Each has an outlet, which has its position in the feed. A change by a person, or one that disables a
/// webhook, and its row of the [audit log](super::Access::audit_log) are one transaction.
pub trait Webhooks {
    /// Adds a webhook. Its position is the end of the feed, so that it is told of what comes after.
    fn add_webhook(&self, webhook: &NewWebhook, by: &By) -> Result<AddWebhookVerdict, StoreError>;

    /// Every webhook, in the order of the names.
    fn webhooks(&self) -> Result<Vec<WebhookRow>, StoreError>;

    /// One webhook with its sealed secrets; `None` if there is no such webhook.
    fn webhook(&self, name: &WebhookName) -> Result<Option<StoredWebhook>, StoreError>;

    /// Stores another sealed secret. The one before can be used for `overlap`; one before that ends at once. Returns
    /// whether there is such a webhook.
    fn rotate_webhook(
        &self,
        name: &WebhookName,
        sealed_secret: &[u8],
        overlap: Duration,
        by: &By,
    ) -> Result<bool, StoreError>;

    /// Enables a webhook, forgets its failures, and lets a message be sent at once. A position that is not in the feed
    /// becomes the end of the feed. Returns whether there is such a webhook.
    fn enable_webhook(&self, name: &WebhookName, by: &By) -> Result<bool, StoreError>;

    /// Disables a webhook that is enabled. Returns whether there is one.
    fn disable_webhook(&self, name: &WebhookName, reason: &str, by: &By) -> Result<bool, StoreError>;

    /// Removes a webhook and its outlet. Returns whether there was one.
    fn remove_webhook(&self, name: &WebhookName, by: &By) -> Result<bool, StoreError>;

    /// The enabled webhooks that no node holds, whose position is not the end of the feed, and whose time to retry has
    /// come.
    fn due_webhooks(&self) -> Result<Vec<WebhookName>, StoreError>;

    /// Takes the outlet of a due webhook for `time`, and reads what is needed to send a message.
    fn claim_webhook(
        &self,
        name: &WebhookName,
        node: NodeId,
        time: Duration,
    ) -> Result<ClaimWebhookVerdict, StoreError>;

    /// Notes what became of a message, and gives the outlet back. After an unknown outcome, the outlet is free again when
    /// its time is over, and the same message may be sent again.
    fn settle_webhook(
        &self,
        claim: &Claim,
        settlement: &Settlement,
        by: &By,
    ) -> Result<AdvanceVerdict, StoreError>;

    /// Asks `reseal` what to do with each sealed secret, and does all of it or nothing. `reseal` may be asked again from
    /// the first on, when the transaction is repeated. `master_key` is as in
    /// [`reseal_keys`](super::KeyPool::reseal_keys).
    fn reseal_webhooks(
        &self,
        master_key: &str,
        reseal: &mut dyn FnMut(&WebhookName, &[u8]) -> Reseal,
        by: &By,
    ) -> Result<ResealWebhooksVerdict, StoreError>;
}

/// A webhook to add.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// Its name.
    pub name: WebhookName,
    /// Where messages are sent: at most 2,048 bytes.
    pub url: String,
    /// Whether that may be an internal address.
    pub allow_internal: bool,
    /// Its secret, under the master key.
    pub sealed_secret: Vec<u8>,
}

/// A webhook as people may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookRow {
    /// Its name.
    pub name: WebhookName,
    /// Where messages are sent.
    pub url: String,
    /// Whether that may be an internal address.
    pub allow_internal: bool,
    /// Whether messages are sent.
    pub state: WebhookState,
    /// Why it is disabled, or why the last message failed.
    pub reason: Option<String>,
    /// Messages that failed in a row.
    pub failures: u64,
    /// When a message is sent again, after a failure.
    pub retry_at: Option<String>,
    /// When a message was accepted last.
    pub delivered_at: Option<String>,
    /// When it was added.
    pub created_at: String,
    /// Until when the secret before the last rotation signs, too.
    pub previous_until: Option<String>,
    /// The position of the last message that was accepted, or that of the end of the feed when it was added.
    pub position: Position,
    /// Batches of the feed behind that position.
    pub lag: u64,
}

impl WebhookRow {
    /// The most webhooks that can be added.
    pub const MOST: usize = 100;
    /// The most bytes of an address.
    pub const LONGEST_URL: usize = 2048;
    /// The most bytes of a reason.
    pub const LONGEST_REASON: usize = 500;
}

/// A webhook with its sealed secrets.
#[derive(Clone, Debug)]
pub struct StoredWebhook {
    /// Its name.
    pub name: WebhookName,
    /// Where messages are sent.
    pub url: String,
    /// Whether that may be an internal address.
    pub allow_internal: bool,
    /// Its secret, under the master key.
    pub sealed_secret: Vec<u8>,
    /// The secret before the last rotation, while that signs, too.
    pub previous_secret: Option<Vec<u8>>,
    /// Messages that failed in a row.
    pub failures: u64,
}

/// A webhook whose outlet is held, and the newest batch of the feed.
#[derive(Debug)]
pub struct ClaimedWebhook {
    /// The hold.
    pub claim: Claim,
    /// The webhook.
    pub webhook: StoredWebhook,
    /// The feed.
    pub feed: FeedId,
    /// Its last position.
    pub newest: Place,
    /// When the batch there was signed.
    pub signed_at: String,
}

/// What became of a webhook that was to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddWebhookVerdict {
    /// It is there now.
    Added(Box<WebhookRow>),
    /// Another webhook has this name.
    NameTaken,
    /// There are [`WebhookRow::MOST`] already.
    TooMany,
}

/// What became of the claim of a webhook.
#[derive(Debug)]
pub enum ClaimWebhookVerdict {
    /// The node holds it.
    Claimed(Box<ClaimedWebhook>),
    /// Nothing is to be sent now, or another node sends it.
    NotDue,
    /// Its position is not in the feed: see [`ClaimVerdict::NotInFeed`](super::ClaimVerdict::NotInFeed).
    NotInFeed(Position),
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The server accepted the message for this place.
    Delivered(Place),
    /// It failed, and is sent again after a while.
    Failed {
        /// Why, in at most [`WebhookRow::LONGEST_REASON`] bytes.
        reason: String,
        /// When it is sent again.
        retry_in: Duration,
    },
    /// It failed, and the webhook is disabled.
    Disabled {
        /// Why, in at most [`WebhookRow::LONGEST_REASON`] bytes.
        reason: String,
    },
}

/// What became of the sealed secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResealWebhooksVerdict {
    /// Done.
    Done {
        /// How many were replaced.
        replaced: usize,
        /// How many were left as they are.
        kept: usize,
    },
    /// A secret of this webhook was refused, and none was changed.
    Refused(WebhookName),
}
