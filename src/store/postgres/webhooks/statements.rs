//! The statements about webhooks that read the clock.

use diesel::sql_types::Text;

use super::super::time::time;
use crate::store::sql::{Sql, StoredWebhookColumns, WebhookColumns};

pub(super) struct AllWebhooks;
impl Sql for AllWebhooks {
    const TEXT: &'static str = concat!(
        "SELECT webhook.name, url, allow_internal, state, state_reason, failures, ",
        time!("retry_at"),
        ", ",
        time!("delivered_at"),
        ", ",
        time!("created_at"),
        ", CASE WHEN previous_until > clock_timestamp() THEN ",
        time!("previous_until"),
        " END, outlet.feed, outlet.position, (SELECT id FROM feed_identity), \
         (SELECT coalesce(max(position), 0) FROM feed) \
         FROM webhook JOIN outlet ON outlet.name = 'webhook:' || webhook.name ORDER BY webhook.name"
    );
    type Columns = WebhookColumns;
}

macro_rules! stored_columns {
    () => {
        "SELECT name, url, allow_internal, sealed_secret, \
         CASE WHEN previous_until > clock_timestamp() THEN previous_secret END, failures \
         FROM webhook WHERE name = ?"
    };
}

pub(super) struct OneWebhook;
impl Sql for OneWebhook {
    const TEXT: &'static str = stored_columns!();
    type Columns = StoredWebhookColumns;
}

pub(super) struct DueWebhook;
impl Sql for DueWebhook {
    const TEXT: &'static str = concat!(
        stored_columns!(),
        " AND state = 'enabled' AND (retry_at IS NULL OR retry_at <= clock_timestamp())"
    );
    type Columns = StoredWebhookColumns;
}

pub(super) struct DueWebhooks;
impl Sql for DueWebhooks {
    const TEXT: &'static str = "SELECT webhook.name FROM webhook JOIN outlet ON outlet.name = 'webhook:' || webhook.name \
         WHERE state = 'enabled' AND (retry_at IS NULL OR retry_at <= clock_timestamp()) \
         AND (held_until IS NULL OR held_until <= clock_timestamp() \
             OR held_until > clock_timestamp() + interval '60 s') \
         AND (feed <> (SELECT id FROM feed_identity) \
             OR outlet.position <> (SELECT coalesce(max(position), 0) FROM feed)) \
         ORDER BY webhook.name";
    type Columns = Text;
}

pub(super) struct SignedAt;
impl Sql for SignedAt {
    const TEXT: &'static str = concat!(
        "SELECT coalesce(",
        time!("signed_at"),
        ", '') FROM feed JOIN batch ON batch.id = feed.batch_id WHERE position = ?"
    );
    type Columns = Text;
}

pub(super) struct Rotate;
impl Sql for Rotate {
    const TEXT: &'static str = "UPDATE webhook SET previous_secret = sealed_secret, \
         previous_until = clock_timestamp() + ? * interval '1 ms', sealed_secret = ? WHERE name = ?";
    type Columns = ();
}

pub(super) struct Delivered;
impl Sql for Delivered {
    const TEXT: &'static str = "UPDATE webhook SET failures = 0, retry_at = NULL, \
         state_reason = CASE WHEN state = 'enabled' THEN NULL ELSE state_reason END, \
         delivered_at = clock_timestamp() WHERE name = ?";
    type Columns = ();
}

pub(super) struct Failed;
impl Sql for Failed {
    const TEXT: &'static str = "UPDATE webhook SET failures = failures + 1, \
         retry_at = clock_timestamp() + ? * interval '1 ms', state_reason = ? WHERE name = ? AND state = 'enabled'";
    type Columns = ();
}
