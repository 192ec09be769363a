//! Webhooks: their rows, and the statements that both databases have in common.

use diesel::{
    Queryable,
    sql_types::{BigInt, Binary, Bool, Nullable, Text},
};

use super::{feed::feed_id, statement::Sql};
use crate::{
    domain::{Place, Position, WebhookName},
    store::{NewWebhook, StoreError, StoredWebhook, WebhookRow},
};

/// A webhook as people may see it.
#[derive(Queryable)]
pub(in crate::store) struct RawWebhook {
    name: String,
    url: String,
    allow_internal: bool,
    state: String,
    reason: Option<String>,
    failures: i64,
    retry_at: Option<String>,
    delivered_at: Option<String>,
    created_at: String,
    previous_until: Option<String>,
    at: RawPosition,
}

/// The feed and the position of an outlet, the feed that there is, and its last position.
type RawPosition = (String, i64, Option<String>, i64);

/// The columns of [`RawWebhook`].
pub(in crate::store) type WebhookColumns = (
    Text,
    Text,
    Bool,
    Text,
    Nullable<Text>,
    BigInt,
    Nullable<Text>,
    Nullable<Text>,
    Text,
    Nullable<Text>,
    (Text, BigInt, Nullable<Text>, BigInt),
);

impl TryFrom<RawWebhook> for WebhookRow {
    type Error = StoreError;

    fn try_from(raw: RawWebhook) -> Result<Self, StoreError> {
        let name = webhook_name(&raw.name)?;
        let (feed, place, there, last) = raw.at;
        let position = Position::behind(feed_id(Some(&feed))?, Place(place));
        let is_there = feed_id(there.as_deref())? == position.feed;
        let state = raw.state.parse();
        Ok(Self {
            state: state.map_err(|error| StoreError::Corrupt(format!("webhook {name}: {error}")))?,
            name,
            url: raw.url,
            allow_internal: raw.allow_internal,
            reason: raw.reason,
            failures: raw.failures as u64,
            retry_at: raw.retry_at,
            delivered_at: raw.delivered_at,
            created_at: raw.created_at,
            previous_until: raw.previous_until,
            position,
            lag: (last - if is_there { place } else { 0 }).max(0) as u64,
        })
    }
}

/// A webhook with its sealed secrets: the name, the address, whether that may be internal, both secrets, and the failures.
pub(in crate::store) type RawStoredWebhook = (String, String, bool, Vec<u8>, Option<Vec<u8>>, i64);

/// The columns of [`RawStoredWebhook`].
pub(in crate::store) type StoredWebhookColumns = (Text, Text, Bool, Binary, Nullable<Binary>, BigInt);

/// Converts a raw row into a [`StoredWebhook`].
pub(in crate::store) fn stored_webhook(
    (name, url, allow_internal, sealed_secret, previous_secret, failures): RawStoredWebhook,
) -> Result<StoredWebhook, StoreError> {
    let (name, failures) = (webhook_name(&name)?, failures as u64);
    Ok(StoredWebhook { name, url, allow_internal, sealed_secret, previous_secret, failures })
}

/// Reads a name that is stored.
pub(in crate::store) fn webhook_name(text: &str) -> Result<WebhookName, StoreError> {
    text.parse().map_err(|error| StoreError::Corrupt(format!("webhook '{text}': {error}")))
}

/// A new webhook in words.
pub(in crate::store) fn webhook_in_words(webhook: &NewWebhook) -> String {
    let internal = if webhook.allow_internal { "; may be internal" } else { "" };
    format!("{}{internal}", webhook.url)
}

/// Takes the name, the address, 1 if that may be internal, and the sealed secret.
pub(in crate::store) struct InsertWebhook;
impl Sql for InsertWebhook {
    const TEXT: &'static str =
        "INSERT INTO webhook (name, url, allow_internal, sealed_secret) VALUES (?, ?, ? = 1, ?)";
    type Columns = ();
}

/// How many webhooks there are, and how many have this name.
pub(in crate::store) struct CountWebhooks;
impl Sql for CountWebhooks {
    const TEXT: &'static str =
        "SELECT count(*), (SELECT count(*) FROM webhook AS other WHERE other.name = ?) FROM webhook";
    type Columns = (BigInt, BigInt);
}

/// Makes an outlet at the end of the feed, or moves it there.
pub(in crate::store) struct OutletAtTheEnd;
impl Sql for OutletAtTheEnd {
    const TEXT: &'static str = "INSERT INTO outlet (name, feed, position) \
         SELECT ?, id, (SELECT coalesce(max(position), 0) FROM feed) FROM feed_identity WHERE TRUE \
         ON CONFLICT (name) DO UPDATE SET feed = excluded.feed, position = excluded.position, \
             epoch = outlet.epoch + 1, holder = NULL, held_until = NULL";
    type Columns = ();
}

/// The feed, or the position, of an outlet that is not in the feed.
pub(in crate::store) struct NotInFeed;
impl Sql for NotInFeed {
    const TEXT: &'static str = "SELECT position FROM outlet WHERE name = ? AND (feed <> (SELECT id FROM feed_identity) \
         OR position > (SELECT coalesce(max(position), 0) FROM feed))";
    type Columns = BigInt;
}

/// Gives an outlet back at a place that is not before its own. Takes the place, the name, the epoch and the place.
pub(in crate::store) struct SettleOutlet;
impl Sql for SettleOutlet {
    const TEXT: &'static str = "UPDATE outlet SET position = ?, holder = NULL, held_until = NULL \
         WHERE name = ? AND epoch = ? AND position <= ? AND holder IS NOT NULL";
    type Columns = ();
}

/// Enables a webhook.
pub(in crate::store) struct Enable;
impl Sql for Enable {
    const TEXT: &'static str = "UPDATE webhook SET state = 'enabled', state_reason = NULL, failures = 0, retry_at = NULL WHERE name = ?";
    type Columns = ();
}

/// Disables a webhook that is enabled. Takes the reason, how many failures to add, and the name.
pub(in crate::store) struct Disable;
impl Sql for Disable {
    const TEXT: &'static str = "UPDATE webhook SET state = 'disabled', state_reason = ?, failures = failures + ?, retry_at = NULL \
         WHERE name = ? AND state = 'enabled'";
    type Columns = ();
}

/// Deletes an outlet.
pub(in crate::store) struct DeleteOutlet;
impl Sql for DeleteOutlet {
    const TEXT: &'static str = "DELETE FROM outlet WHERE name = ?";
    type Columns = ();
}

/// Deletes a webhook.
pub(in crate::store) struct DeleteWebhook;
impl Sql for DeleteWebhook {
    const TEXT: &'static str = "DELETE FROM webhook WHERE name = ?";
    type Columns = ();
}

/// All sealed secrets.
pub(in crate::store) struct SealedSecrets;
impl Sql for SealedSecrets {
    const TEXT: &'static str = "SELECT name, sealed_secret, previous_secret FROM webhook ORDER BY name";
    type Columns = (Text, Binary, Nullable<Binary>);
}

/// Replaces both sealed secrets.
pub(in crate::store) struct ReplaceSecrets;
impl Sql for ReplaceSecrets {
    const TEXT: &'static str = "UPDATE webhook SET sealed_secret = ?, previous_secret = ? WHERE name = ?";
    type Columns = ();
}
