//! Supervisor: owns one KeyActor per private key, replaces failed actors, and suspends bad keys.

use std::{collections::HashMap, sync::Arc};

use actix::{Actor, ActorFutureExt, Addr, Context, Handler, Recipient, ResponseActFuture, WrapFuture};

use super::{
    db::ask,
    events::Event,
    key_actor::{KeyActor, KeyTools},
    messages::{Sign, SignFailed, Suspend},
    standing::Standing,
};
use crate::domain::{By, KeyId, SignedBatch, Who};

/// A key is suspended after this many failures in a row.
pub const STRIKES: u32 = 3;

/// Routes each batch to the owner of its key.
pub struct Supervisor {
    node: String,
    tools: KeyTools,
    keys: HashMap<KeyId, Owner>,
}

struct Owner {
    actor: Addr<KeyActor>,
    failures: u32,
}

impl Supervisor {
    /// A supervisor without keys. A key's first batch starts its owner. `node` is the name of the node, by which the
    /// audit log names it.
    pub fn new(node: String, tools: KeyTools) -> Self {
        Self { node, tools, keys: HashMap::new() }
    }

    fn owner(&mut self, key: KeyId) -> &mut Owner {
        let tools = &self.tools;
        self.keys
            .entry(key)
            .or_insert_with(|| Owner { actor: KeyActor::new(key, tools.clone()).start(), failures: 0 })
    }

    /// Counts failures. Returns the reason for a suspension when the key has failed too often. An owner is replaced
    /// only if it has ended, because a living owner may already be signing another batch.
    fn judge(&mut self, key: KeyId, failure: Option<&SignFailed>) -> Option<String> {
        let owner = self.owner(key);
        let Some(failure) = failure else {
            owner.failures = 0;
            return None;
        };
        if !failure.blames_key() {
            return None;
        }
        log::warn!("key {key} failed: {failure}");
        owner.failures += 1;
        let failures = owner.failures;
        if failures >= STRIKES {
            owner.failures = 0;
        }
        if !owner.actor.connected() {
            self.keys.remove(&key);
        }
        (failures >= STRIKES).then(|| format!("{failures} failures in a row, the last: {failure}"))
    }
}

/// Suspends a key. Callers must await this before the batch is released, so that the key is not leased again.
async fn suspend(to: Recipient<Suspend>, suspend: Suspend, standing: Arc<Standing>) {
    let (key, reason) = (suspend.key, suspend.reason.clone());
    match ask(&to, suspend).await {
        Ok(_) => {
            log::error!("key {key} is suspended: {reason}");
            standing.tell(Event::KeySuspended { key, reason });
        }
        // The next suspension is tried after as many failures.
        Err(error) => log::error!("key {key} cannot be suspended: {error}"),
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;
}

impl Handler<Sign> for Supervisor {
    type Result = ResponseActFuture<Self, Result<SignedBatch, SignFailed>>;

    fn handle(&mut self, sign: Sign, _: &mut Self::Context) -> Self::Result {
        let key = sign.0.lease.key();
        let owner = self.owner(key).actor.clone();
        let signing = async move { owner.send(sign).await.unwrap_or(Err(SignFailed::Gone)) };
        Box::pin(signing.into_actor(self).then(move |result, actor, _| {
            let bad = actor.judge(key, result.as_ref().err());
            let by = By::without_request(Who::Node(actor.node.clone()));
            let bad = bad.map(|reason| Suspend { key, reason, by });
            let (to, standing) = (actor.tools.db.suspend.clone(), Arc::clone(&actor.tools.standing));
            async move {
                if let Some(bad) = bad {
                    suspend(to, bad, standing).await;
                }
                result
            }
            .into_actor(actor)
        }))
    }
}
