//! One delivery: takes a webhook that is due, sends the newest position, and notes what became of it.

use std::time::Duration;

use actix_rt::time::sleep;

use super::{answer::settlement, links::Links, message::Message, trial::sent};
use crate::{
    actors::{Event, call::call},
    domain::{NodeId, Position, WebhookName},
    signer::random_secret,
    store::{AdvanceVerdict, ClaimWebhookVerdict, ClaimedWebhook, Settlement, StoreError, StoredWebhook},
};

/// The least time between two messages to a webhook: what comes in between goes with the next one.
const BETWEEN: Duration = Duration::from_millis(200);

/// Sends one message to a webhook, if it is due.
pub(super) async fn deliver(links: Links, name: WebhookName, node: NodeId) {
    match attempt(&links, &name, node).await {
        Ok(()) => {}
        // The hold ends by itself, and the same message is sent again.
        Err(error) if error.is_outage() => log::debug!("webhook {name}: {error}"),
        Err(error) => log::error!("webhook {name}: {error}"),
    }
    sleep(BETWEEN).await;
}

async fn attempt(links: &Links, name: &WebhookName, node: NodeId) -> Result<(), StoreError> {
    let (began, hold, meant) = ((links.clock)(), links.hold, name.clone());
    match call(&links.db, move |store| store.claim_webhook(&meant, node, hold)).await? {
        ClaimWebhookVerdict::NotDue => Ok(()),
        ClaimWebhookVerdict::NotInFeed(position) => stop(links, name, position).await,
        ClaimWebhookVerdict::Claimed(claimed) => {
            let is_late = (links.clock)().saturating_sub(began) + links.limit() > hold;
            if is_late { release(links, *claimed).await } else { send(links, *claimed).await }
        }
    }
}

async fn send(links: &Links, claimed: ClaimedWebhook) -> Result<(), StoreError> {
    let ClaimedWebhook { claim, webhook, feed, newest, signed_at } = claimed;
    let message = Message::available(feed, newest, &signed_at);
    let result = sent(&links.client, &links.keyring, &webhook, &message, links.limit()).await;
    let jitter = f64::from(random_secret::<1>()[0]) / 255.0;
    let settlement = settlement(&result, newest, webhook.failures, jitter);
    let (by, noted) = (links.by.clone(), settlement.clone());
    // What if we die here? The server has the message, and gets it again, under the same id, when the hold is over.
    let settled = call(&links.db, move |store| store.settle_webhook(&claim, &noted, &by)).await?;
    match settled {
        AdvanceVerdict::Advanced => note(links, &webhook, settlement),
        AdvanceVerdict::Fenced => {
            log::warn!("webhook {} was removed, or another node has taken over", webhook.name);
        }
    }
    Ok(())
}

/// Counts and logs what became of a message.
fn note(links: &Links, webhook: &StoredWebhook, settlement: Settlement) {
    let (name, counters) = (&webhook.name, &links.counters);
    match settlement {
        Settlement::Delivered(place) => {
            counters.add_delivered();
            if webhook.failures > 0 {
                log::info!("webhook {name} accepts messages again, after {} failures", webhook.failures);
            }
            log::debug!("webhook {name} is told of position {place}");
        }
        Settlement::Failed { reason, retry_in } => {
            counters.add_failed();
            let retry_in = humantime::format_duration(Duration::from_secs(retry_in.as_secs()));
            log::warn!("webhook {name}: {reason}; next attempt in {retry_in}");
        }
        Settlement::Disabled { reason } => {
            counters.add_failed();
            disabled(links, name, reason);
        }
    }
}

fn disabled(links: &Links, name: &WebhookName, reason: String) {
    links.counters.add_disabled();
    log::error!("webhook {name} is disabled: {reason}; 'signwave webhooks enable {name}' enables it");
    links.events.tell(Event::WebhookDisabled { webhook: name.to_string(), reason });
}

/// Disables a webhook whose position is not in the feed: a person has to see that the database was restored.
async fn stop(links: &Links, name: &WebhookName, position: Position) -> Result<(), StoreError> {
    let reason = format!(
        "its position {position} is not in the feed, because the database was restored or made anew; when it is \
         enabled, it goes on at the end of the feed"
    );
    let (meant, by, why) = (name.clone(), links.by.clone(), reason.clone());
    if call(&links.db, move |store| store.disable_webhook(&meant, &why, &by)).await? {
        disabled(links, name, reason);
    }
    Ok(())
}

async fn release(links: &Links, claimed: ClaimedWebhook) -> Result<(), StoreError> {
    call(&links.db, move |store| store.release_outlet(claimed.claim)).await
}
