//! Webhooks, in memory.

use std::time::Duration;

use super::{
    MemoryStore,
    feed::FEED,
    state::{Outlet, State, Webhook},
};
use signwave::{
    domain::{Action, By, Epoch, NodeId, Place, Position, WebhookName, WebhookState},
    store::{
        AddWebhookVerdict, AdvanceVerdict, Claim, ClaimVerdict, ClaimWebhookVerdict, ClaimedWebhook,
        NewWebhook, Outlets, Reseal, ResealWebhooksVerdict, Settlement, StoreError, StoredWebhook,
        WebhookRow, Webhooks,
    },
};

impl Webhooks for MemoryStore {
    fn add_webhook(&self, webhook: &NewWebhook, by: &By) -> Result<AddWebhookVerdict, StoreError> {
        let state = &mut *self.lock();
        let NewWebhook { name, url, allow_internal, sealed_secret } = webhook.clone();
        if state.webhooks.contains_key(&name) {
            return Ok(AddWebhookVerdict::NameTaken);
        }
        if state.webhooks.len() >= WebhookRow::MOST {
            return Ok(AddWebhookVerdict::TooMany);
        }
        let position = Position::behind(FEED, state.last_place());
        let outlet = Outlet { position, epoch: Epoch(0), holder: None };
        state.outlets.insert(name.outlet(), outlet);
        let stored = StoredWebhook {
            name: name.clone(),
            url,
            allow_internal,
            sealed_secret,
            previous_secret: None,
            failures: 0,
        };
        let added = Webhook {
            stored,
            is_enabled: true,
            reason: None,
            previous_until: Duration::ZERO,
            retry_at: None,
            delivered_at: None,
            created_at: state.now,
        };
        state.webhooks.insert(name.clone(), added);
        let internal = if allow_internal { "; may be internal" } else { "" };
        state.note(by, Action::AddWebhook, name.as_str(), None, &format!("{}{internal}", webhook.url));
        Ok(AddWebhookVerdict::Added(Box::new(state.webhook_row(&state.webhooks[&name]))))
    }

    fn webhooks(&self) -> Result<Vec<WebhookRow>, StoreError> {
        Ok(self.lock().webhook_rows())
    }

    fn webhook(&self, name: &WebhookName) -> Result<Option<StoredWebhook>, StoreError> {
        let state = self.lock();
        Ok(state.webhooks.get(name).map(|webhook| state.stored_webhook(webhook)))
    }

    fn rotate_webhook(
        &self,
        name: &WebhookName,
        sealed_secret: &[u8],
        overlap: Duration,
        by: &By,
    ) -> Result<bool, StoreError> {
        let state = &mut *self.lock();
        let now = state.now;
        let Some(webhook) = state.webhooks.get_mut(name) else { return Ok(false) };
        let before = std::mem::replace(&mut webhook.stored.sealed_secret, sealed_secret.to_vec());
        (webhook.stored.previous_secret, webhook.previous_until) = (Some(before), now + overlap);
        state.note(by, Action::RotateWebhook, name.as_str(), None, "another secret");
        Ok(true)
    }

    fn enable_webhook(&self, name: &WebhookName, by: &By) -> Result<bool, StoreError> {
        let state = &mut *self.lock();
        let last = state.last_place();
        let Some(webhook) = state.webhooks.get_mut(name) else { return Ok(false) };
        (webhook.is_enabled, webhook.reason, webhook.retry_at) = (true, None, None);
        webhook.stored.failures = 0;
        let outlet = state.outlets.get_mut(&name.outlet()).expect("each webhook has one");
        let misplaced = outlet.position.place > last;
        outlet.position.place = outlet.position.place.min(last);
        let after = if misplaced { "enabled, at the end of the feed" } else { "enabled" };
        state.note(by, Action::EnableWebhook, name.as_str(), None, after);
        Ok(true)
    }

    fn disable_webhook(&self, name: &WebhookName, reason: &str, by: &By) -> Result<bool, StoreError> {
        Ok(self.lock().disable_webhook(name, reason, 0, by))
    }

    fn remove_webhook(&self, name: &WebhookName, by: &By) -> Result<bool, StoreError> {
        let state = &mut *self.lock();
        state.outlets.remove(&name.outlet());
        let removed = state.webhooks.remove(name).is_some();
        if removed {
            state.note(by, Action::RemoveWebhook, name.as_str(), None, "removed");
        }
        Ok(removed)
    }

    fn due_webhooks(&self) -> Result<Vec<WebhookName>, StoreError> {
        let state = self.lock();
        let is_due = |(name, webhook): &(&WebhookName, &Webhook)| {
            let outlet = &state.outlets[&name.outlet()];
            let is_held = outlet.holder.is_some_and(|(_, until)| until > state.now);
            state.may_send(webhook) && !is_held && outlet.position.place != state.last_place()
        };
        Ok(state.webhooks.iter().filter(is_due).map(|(name, _)| name.clone()).collect())
    }

    fn claim_webhook(
        &self,
        name: &WebhookName,
        node: NodeId,
        time: Duration,
    ) -> Result<ClaimWebhookVerdict, StoreError> {
        let (webhook, newest, signed_at) = {
            let state = self.lock();
            let webhook = state.webhooks.get(name).filter(|webhook| state.may_send(webhook));
            let Some(webhook) = webhook else { return Ok(ClaimWebhookVerdict::NotDue) };
            let signed_at = state.feed.last().and_then(|batch| state.batches[batch].signed_at.clone());
            (state.stored_webhook(webhook), state.last_place(), signed_at.unwrap_or_default())
        };
        Ok(match self.claim_outlet(&name.outlet(), node, time, newest)? {
            ClaimVerdict::NotInFeed(position) => ClaimWebhookVerdict::NotInFeed(position),
            ClaimVerdict::Held => ClaimWebhookVerdict::NotDue,
            ClaimVerdict::Claimed(claim) if claim.place == newest => {
                self.release_outlet(claim)?;
                ClaimWebhookVerdict::NotDue
            }
            ClaimVerdict::Claimed(claim) => {
                let claimed = ClaimedWebhook { claim, webhook, feed: FEED, newest, signed_at };
                ClaimWebhookVerdict::Claimed(Box::new(claimed))
            }
        })
    }

    fn settle_webhook(
        &self,
        claim: &Claim,
        settlement: &Settlement,
        by: &By,
    ) -> Result<AdvanceVerdict, StoreError> {
        let place = match settlement {
            Settlement::Delivered(place) => *place,
            _ => claim.place,
        };
        let mut copy = Claim { name: claim.name.clone(), ..*claim };
        if self.advance_outlet(&mut copy, place, Duration::ZERO)? == AdvanceVerdict::Fenced {
            return Ok(AdvanceVerdict::Fenced);
        }
        self.release_outlet(copy)?;
        let state = &mut *self.lock();
        let (now, name) = (state.now, claim.name["webhook:".len()..].parse().unwrap());
        if let Settlement::Disabled { reason } = settlement {
            state.disable_webhook(&name, reason, 1, by);
        } else if let Some(webhook) = state.webhooks.get_mut(&name) {
            match settlement {
                Settlement::Failed { reason, retry_in } if webhook.is_enabled => {
                    webhook.stored.failures += 1;
                    (webhook.reason, webhook.retry_at) = (Some(reason.clone()), Some(now + *retry_in));
                }
                Settlement::Delivered(_) => {
                    (webhook.stored.failures, webhook.retry_at) = (0, None);
                    webhook.reason = webhook.reason.take().filter(|_| !webhook.is_enabled);
                    webhook.delivered_at = Some(now);
                }
                _ => {}
            }
        }
        Ok(AdvanceVerdict::Advanced)
    }

    fn reseal_webhooks(
        &self,
        master_key: &str,
        reseal: &mut dyn FnMut(&WebhookName, &[u8]) -> Reseal,
        by: &By,
    ) -> Result<ResealWebhooksVerdict, StoreError> {
        let state = &mut *self.lock();
        let (mut webhooks, mut replaced, mut kept) = (state.webhooks.clone(), 0, 0);
        for (name, webhook) in &mut webhooks {
            let StoredWebhook { sealed_secret, previous_secret, .. } = &mut webhook.stored;
            for secret in [Some(&mut *sealed_secret), previous_secret.as_mut()].into_iter().flatten() {
                match reseal(name, secret) {
                    Reseal::Keep => kept += 1,
                    Reseal::Replace(sealed) => (*secret, replaced) = (sealed, replaced + 1),
                    Reseal::Refuse => return Ok(ResealWebhooksVerdict::Refused(name.clone())),
                }
            }
        }
        state.webhooks = webhooks;
        if replaced > 0 {
            let after = format!("{replaced} secrets of webhooks resealed");
            state.note(by, Action::RotateMasterKey, master_key, None, &after);
        }
        Ok(ResealWebhooksVerdict::Done { replaced, kept })
    }
}

impl State {
    pub(super) fn last_place(&self) -> Place {
        Place(self.feed.len() as i64)
    }

    fn may_send(&self, webhook: &Webhook) -> bool {
        webhook.is_enabled && webhook.retry_at.is_none_or(|at| at <= self.now)
    }

    fn disable_webhook(&mut self, name: &WebhookName, reason: &str, failures: u64, by: &By) -> bool {
        let enabled = self.webhooks.get_mut(name).filter(|webhook| webhook.is_enabled);
        let Some(webhook) = enabled else { return false };
        (webhook.is_enabled, webhook.reason, webhook.retry_at) = (false, Some(reason.to_owned()), None);
        webhook.stored.failures += failures;
        self.note(by, Action::DisableWebhook, name.as_str(), None, reason);
        true
    }

    fn stored_webhook(&self, webhook: &Webhook) -> StoredWebhook {
        let mut stored = webhook.stored.clone();
        stored.previous_secret = stored.previous_secret.filter(|_| webhook.previous_until > self.now);
        stored
    }

    pub(super) fn webhook_rows(&self) -> Vec<WebhookRow> {
        self.webhooks.values().map(|webhook| self.webhook_row(webhook)).collect()
    }

    fn webhook_row(&self, webhook: &Webhook) -> WebhookRow {
        let StoredWebhook { name, url, allow_internal, previous_secret, failures, .. } =
            self.stored_webhook(webhook);
        let position = self.outlets[&name.outlet()].position;
        WebhookRow {
            name,
            url,
            allow_internal,
            state: if webhook.is_enabled { WebhookState::Enabled } else { WebhookState::Disabled },
            reason: webhook.reason.clone(),
            failures,
            retry_at: webhook.retry_at.map(Self::time_text),
            delivered_at: webhook.delivered_at.map(Self::time_text),
            created_at: Self::time_text(webhook.created_at),
            previous_until: previous_secret.map(|_| Self::time_text(webhook.previous_until)),
            position,
            lag: (self.last_place().0 - position.place.0).max(0) as u64,
        }
    }
}
