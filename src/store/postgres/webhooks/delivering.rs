//! Taking a webhook to send a message, and noting what became of it.

use std::time::Duration;

use diesel::PgConnection;

use super::super::{errors::Failure, nodes::millis, outlets};
use super::{
    disable,
    statements::{Delivered, DueWebhook, Failed, SignedAt},
};
use crate::{
    domain::{By, NodeId, WebhookName},
    store::{
        AdvanceVerdict, Claim, ClaimVerdict, ClaimWebhookVerdict, ClaimedWebhook, Settlement,
        sql::{RawStoredWebhook, SettleOutlet, Value, execute, row, stored_webhook, webhook_name},
    },
};

/// See [`crate::store::Webhooks::claim_webhook`].
pub(super) fn claim(
    connection: &mut PgConnection,
    name: &WebhookName,
    node: NodeId,
    time: Duration,
) -> Result<ClaimWebhookVerdict, Failure> {
    let outlet = name.outlet();
    let Some((raw, end)) = outlets::find(connection, &outlet)? else {
        return Ok(ClaimWebhookVerdict::NotDue);
    };
    let found: Option<RawStoredWebhook> = row::<DueWebhook, _, _>(connection, &[Value::Text(name.as_str())])?;
    let Some(webhook) = found.map(stored_webhook).transpose()? else {
        return Ok(ClaimWebhookVerdict::NotDue);
    };
    let signed_at: Option<String> = row::<SignedAt, _, _>(connection, &[Value::Integer(end.last.0)])?;
    Ok(match outlets::take(connection, raw, end, node, time)? {
        ClaimVerdict::NotInFeed(position) => ClaimWebhookVerdict::NotInFeed(position),
        ClaimVerdict::Held => ClaimWebhookVerdict::NotDue,
        ClaimVerdict::Claimed(claim) => match signed_at {
            Some(signed_at) if claim.place < end.last => {
                let (feed, newest) = (end.feed, end.last);
                ClaimWebhookVerdict::Claimed(Box::new(ClaimedWebhook {
                    claim,
                    webhook,
                    feed,
                    newest,
                    signed_at,
                }))
            }
            _ => {
                outlets::release(connection, &claim)?;
                ClaimWebhookVerdict::NotDue
            }
        },
    })
}

/// See [`crate::store::Webhooks::settle_webhook`].
pub(super) fn settle(
    connection: &mut PgConnection,
    claim: &Claim,
    settlement: &Settlement,
    by: &By,
) -> Result<AdvanceVerdict, Failure> {
    let place = match settlement {
        Settlement::Delivered(place) => *place,
        Settlement::Failed { .. } | Settlement::Disabled { .. } => claim.place,
    };
    let values = [
        Value::Integer(place.0),
        Value::Text(&claim.name),
        Value::Integer(claim.epoch.0),
        Value::Integer(place.0),
    ];
    if execute::<SettleOutlet, _>(connection, &values)? == 0 {
        return Ok(AdvanceVerdict::Fenced);
    }
    let name = claim.name.strip_prefix("webhook:").unwrap_or_default();
    match settlement {
        Settlement::Delivered(_) => {
            execute::<Delivered, _>(connection, &[Value::Text(name)])?;
        }
        Settlement::Failed { reason, retry_in } => {
            let pause = Value::Integer(millis(*retry_in));
            let values = [pause, Value::Text(reason), Value::Text(name)];
            execute::<Failed, _>(connection, &values)?;
        }
        Settlement::Disabled { reason } => {
            disable(connection, &webhook_name(name)?, reason, 1, by)?;
        }
    }
    Ok(AdvanceVerdict::Advanced)
}
