//! Faults of webhooks.

use std::time::Duration;

use super::{FaultyStore, Method};
use signwave::{
    domain::{By, NodeId, WebhookName},
    store::{
        AddWebhookVerdict, AdvanceVerdict, Claim, ClaimWebhookVerdict, NewWebhook, Reseal,
        ResealWebhooksVerdict, Settlement, StoreError, StoredWebhook, WebhookRow, Webhooks,
    },
};

impl Webhooks for FaultyStore {
    fn add_webhook(&self, webhook: &NewWebhook, by: &By) -> Result<AddWebhookVerdict, StoreError> {
        self.call(Method::AddWebhook, |store| store.add_webhook(webhook, by))
    }

    fn webhooks(&self) -> Result<Vec<WebhookRow>, StoreError> {
        self.call(Method::Webhooks, |store| store.webhooks())
    }

    fn webhook(&self, name: &WebhookName) -> Result<Option<StoredWebhook>, StoreError> {
        self.call(Method::Webhook, |store| store.webhook(name))
    }

    fn rotate_webhook(
        &self,
        name: &WebhookName,
        sealed_secret: &[u8],
        overlap: Duration,
        by: &By,
    ) -> Result<bool, StoreError> {
        self.call(Method::RotateWebhook, |store| store.rotate_webhook(name, sealed_secret, overlap, by))
    }

    fn enable_webhook(&self, name: &WebhookName, by: &By) -> Result<bool, StoreError> {
        self.call(Method::EnableWebhook, |store| store.enable_webhook(name, by))
    }

    fn disable_webhook(&self, name: &WebhookName, reason: &str, by: &By) -> Result<bool, StoreError> {
        self.call(Method::DisableWebhook, |store| store.disable_webhook(name, reason, by))
    }

    fn remove_webhook(&self, name: &WebhookName, by: &By) -> Result<bool, StoreError> {
        self.call(Method::RemoveWebhook, |store| store.remove_webhook(name, by))
    }

    fn due_webhooks(&self) -> Result<Vec<WebhookName>, StoreError> {
        self.call(Method::DueWebhooks, |store| store.due_webhooks())
    }

    fn claim_webhook(
        &self,
        name: &WebhookName,
        node: NodeId,
        time: Duration,
    ) -> Result<ClaimWebhookVerdict, StoreError> {
        self.call(Method::ClaimWebhook, |store| store.claim_webhook(name, node, time))
    }

    fn settle_webhook(
        &self,
        claim: &Claim,
        settlement: &Settlement,
        by: &By,
    ) -> Result<AdvanceVerdict, StoreError> {
        self.call(Method::SettleWebhook, |store| store.settle_webhook(claim, settlement, by))
    }

    fn reseal_webhooks(
        &self,
        master_key: &str,
        reseal: &mut dyn FnMut(&WebhookName, &[u8]) -> Reseal,
        by: &By,
    ) -> Result<ResealWebhooksVerdict, StoreError> {
        self.call(Method::ResealWebhooks, |store| store.reseal_webhooks(master_key, reseal, by))
    }
}
