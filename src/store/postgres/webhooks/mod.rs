//! Webhooks.

mod delivering;
mod statements;

use std::time::Duration;

use diesel::PgConnection;

use self::statements::{AllWebhooks, DueWebhooks, OneWebhook, Rotate};
use super::{PostgresStore, audit_log::InsertAudit, errors::Failure, nodes::millis, transaction::Turn};
use crate::{
    domain::{Action, By, NodeId, WebhookName},
    store::{
        AddWebhookVerdict, AdvanceVerdict, Claim, ClaimWebhookVerdict, NewWebhook, Reseal,
        ResealWebhooksVerdict, Settlement, StoreError, StoredWebhook, WebhookRow, Webhooks,
        sql::{
            Change, CountWebhooks, DeleteOutlet, DeleteWebhook, Disable, Enable, InsertWebhook, NotInFeed,
            OutletAtTheEnd, RawStoredWebhook, RawWebhook, ReplaceSecrets, SealedSecrets, Value, execute,
            expect_rows, note, row, rows, stored_webhook, webhook_in_words, webhook_name,
        },
    },
};

impl Webhooks for PostgresStore {
    fn add_webhook(&self, webhook: &NewWebhook, by: &By) -> Result<AddWebhookVerdict, StoreError> {
        // What if we die here? The webhook is there with its outlet and its row of the log, or none is. Its secret was
        // not shown.
        self.write_in_turn(Turn::Audit, |connection| add(connection, webhook, by))
    }

    fn webhooks(&self) -> Result<Vec<WebhookRow>, StoreError> {
        self.lookup(all)
    }

    fn webhook(&self, name: &WebhookName) -> Result<Option<StoredWebhook>, StoreError> {
        self.lookup(|connection| {
            let found: Option<RawStoredWebhook> =
                row::<OneWebhook, _, _>(connection, &[Value::Text(name.as_str())])?;
            Ok(found.map(stored_webhook).transpose()?)
        })
    }

    fn rotate_webhook(
        &self,
        name: &WebhookName,
        sealed_secret: &[u8],
        overlap: Duration,
        by: &By,
    ) -> Result<bool, StoreError> {
        let overlap = Value::Integer(millis(overlap));
        // What if we die here? The secret has changed or it has not. The new one was not shown: rotate again.
        self.write_in_turn(Turn::Audit, |connection| {
            let values = [overlap, Value::Blob(sealed_secret), Value::Text(name.as_str())];
            let rotated = execute::<Rotate, _>(connection, &values)? > 0;
            if rotated {
                log(connection, by, Action::RotateWebhook, name, "another secret")?;
            }
            Ok(rotated)
        })
    }

    fn enable_webhook(&self, name: &WebhookName, by: &By) -> Result<bool, StoreError> {
        // What if we die here? It is enabled or it is not; asking again is harmless.
        self.write_in_turn(Turn::Audit, |connection| enable(connection, name, by))
    }

    fn disable_webhook(&self, name: &WebhookName, reason: &str, by: &By) -> Result<bool, StoreError> {
        // What if we die here? It is disabled or it is not; asking again is harmless.
        self.write_in_turn(Turn::Audit, |connection| disable(connection, name, reason, 0, by))
    }

    fn remove_webhook(&self, name: &WebhookName, by: &By) -> Result<bool, StoreError> {
        let outlet = name.outlet();
        // What if we die here? It is there or it is not; removing it again says which.
        self.write_in_turn(Turn::Audit, |connection| {
            execute::<DeleteOutlet, _>(connection, &[Value::Text(&outlet)])?;
            let removed = execute::<DeleteWebhook, _>(connection, &[Value::Text(name.as_str())])? > 0;
            if removed {
                log(connection, by, Action::RemoveWebhook, name, "removed")?;
            }
            Ok(removed)
        })
    }

    fn due_webhooks(&self) -> Result<Vec<WebhookName>, StoreError> {
        self.lookup(|connection| {
            let names: Vec<String> = rows::<DueWebhooks, _, _>(connection, &[])?;
            Ok(names.iter().map(|name| webhook_name(name)).collect::<Result<_, _>>()?)
        })
    }

    fn claim_webhook(
        &self,
        name: &WebhookName,
        node: NodeId,
        time: Duration,
    ) -> Result<ClaimWebhookVerdict, StoreError> {
        // What if we die here? The outlet is held until its time is over, or not at all.
        self.write(|connection| delivering::claim(connection, name, node, time))
    }

    fn settle_webhook(
        &self,
        claim: &Claim,
        settlement: &Settlement,
        by: &By,
    ) -> Result<AdvanceVerdict, StoreError> {
        // What if we die here? The position is stored, or the same message is sent again when the hold is over.
        match settlement {
            Settlement::Delivered(_) | Settlement::Failed { .. } => {
                self.write(|connection| delivering::settle(connection, claim, settlement, by))
            }
            Settlement::Disabled { .. } => self.write_in_turn(Turn::Audit, |connection| {
                delivering::settle(connection, claim, settlement, by)
            }),
        }
    }

    fn reseal_webhooks(
        &self,
        master_key: &str,
        reseal: &mut dyn FnMut(&WebhookName, &[u8]) -> Reseal,
        by: &By,
    ) -> Result<ResealWebhooksVerdict, StoreError> {
        // What if we die here? Every secret is replaced or none is. Asking again replaces the rest.
        self.write_in_turn(Turn::Audit, |connection| reseal_all(connection, master_key, reseal, by))
    }
}

/// Every webhook, in the order of the names.
pub(super) fn all(connection: &mut PgConnection) -> Result<Vec<WebhookRow>, Failure> {
    let found: Vec<RawWebhook> = rows::<AllWebhooks, _, _>(connection, &[])?;
    Ok(found.into_iter().map(WebhookRow::try_from).collect::<Result<_, _>>()?)
}

fn add(connection: &mut PgConnection, webhook: &NewWebhook, by: &By) -> Result<AddWebhookVerdict, Failure> {
    let (name, outlet) = (webhook.name.as_str(), webhook.name.outlet());
    let counts: Option<(i64, i64)> = row::<CountWebhooks, _, _>(connection, &[Value::Text(name)])?;
    match counts.unwrap_or_default() {
        (_, 1..) => return Ok(AddWebhookVerdict::NameTaken),
        (there, _) if there >= WebhookRow::MOST as i64 => return Ok(AddWebhookVerdict::TooMany),
        _ => {}
    }
    execute::<OutletAtTheEnd, _>(connection, &[Value::Text(&outlet)])?;
    let values = [
        Value::Text(name),
        Value::Text(&webhook.url),
        Value::Integer(webhook.allow_internal.into()),
        Value::Blob(&webhook.sealed_secret),
    ];
    expect_rows("adding a webhook", 1, execute::<InsertWebhook, _>(connection, &values)?)?;
    log(connection, by, Action::AddWebhook, &webhook.name, &webhook_in_words(webhook))?;
    let row = all(connection)?.into_iter().find(|row| row.name == webhook.name);
    expect_rows("reading a webhook", 1, usize::from(row.is_some()))?;
    Ok(AddWebhookVerdict::Added(Box::new(row.expect("one was found"))))
}

fn enable(connection: &mut PgConnection, name: &WebhookName, by: &By) -> Result<bool, Failure> {
    let outlet = name.outlet();
    let misplaced: Option<i64> = row::<NotInFeed, _, _>(connection, &[Value::Text(&outlet)])?;
    let after = match misplaced {
        Some(_) => {
            execute::<OutletAtTheEnd, _>(connection, &[Value::Text(&outlet)])?;
            "enabled, at the end of the feed"
        }
        None => "enabled",
    };
    let enabled = execute::<Enable, _>(connection, &[Value::Text(name.as_str())])? > 0;
    if enabled {
        log(connection, by, Action::EnableWebhook, name, after)?;
    }
    Ok(enabled)
}

/// Disables a webhook that is enabled, after so many failures that are not counted yet.
fn disable(
    connection: &mut PgConnection,
    name: &WebhookName,
    reason: &str,
    failures: i64,
    by: &By,
) -> Result<bool, Failure> {
    let values = [Value::Text(reason), Value::Integer(failures), Value::Text(name.as_str())];
    let disabled = execute::<Disable, _>(connection, &values)? > 0;
    if disabled {
        log(connection, by, Action::DisableWebhook, name, reason)?;
    }
    Ok(disabled)
}

fn log(
    connection: &mut PgConnection,
    by: &By,
    action: Action,
    name: &WebhookName,
    after: &str,
) -> Result<(), Failure> {
    let change = Change { action, object: name.as_str(), before: None, after: Some(after) };
    note::<InsertAudit, _, _>(connection, by, &change)
}

fn reseal_all(
    connection: &mut PgConnection,
    master_key: &str,
    reseal: &mut dyn FnMut(&WebhookName, &[u8]) -> Reseal,
    by: &By,
) -> Result<ResealWebhooksVerdict, Failure> {
    let (mut replaced, mut kept) = (0, 0);
    let sealed: Vec<(String, Vec<u8>, Option<Vec<u8>>)> = rows::<SealedSecrets, _, _>(connection, &[])?;
    let mut replacements = Vec::new();
    for (name, current, previous) in sealed {
        let name = webhook_name(&name)?;
        let mut secrets = [Some(current), previous];
        let before = replaced;
        for secret in secrets.iter_mut().flatten() {
            match reseal(&name, secret) {
                Reseal::Keep => kept += 1,
                Reseal::Replace(sealed) => {
                    *secret = sealed;
                    replaced += 1;
                }
                Reseal::Refuse => return Ok(ResealWebhooksVerdict::Refused(name)),
            }
        }
        if replaced > before {
            replacements.push((name, secrets));
        }
    }
    for (name, [current, previous]) in &replacements {
        let values = [
            Value::OptionalBlob(current.as_deref()),
            Value::OptionalBlob(previous.as_deref()),
            Value::Text(name.as_str()),
        ];
        expect_rows("resealing a secret", 1, execute::<ReplaceSecrets, _>(connection, &values)?)?;
    }
    if replaced > 0 {
        let after = format!("{replaced} secrets of webhooks resealed");
        let (action, after) = (Action::RotateMasterKey, Some(after.as_str()));
        note::<InsertAudit, _, Failure>(
            connection,
            by,
            &Change { action, object: master_key, before: None, after },
        )?;
    }
    Ok(ResealWebhooksVerdict::Done { replaced, kept })
}
