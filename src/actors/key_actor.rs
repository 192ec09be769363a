//! KeyActor: the exclusive owner of one private key.

use std::sync::Arc;

use actix::{Actor, ActorFutureExt, AtomicResponse, Context, Handler, WrapFuture};
use tokio::sync::oneshot;

use super::{
    db::{Db, ask},
    messages::{Leased, LoadKey, Sign, SignFailed},
    pools::Pools,
    signing_key::SigningKey,
    signing_pool::{Done, Job, KeySource},
    standing::Standing,
};
use crate::{
    config::Checking,
    domain::{KeyId, SignedBatch},
    signer::OpenSigner,
};

/// The parts that every KeyActor needs.
#[derive(Clone)]
pub struct KeyTools {
    /// The database, to load the key from.
    pub db: Db,
    /// Opens the key.
    pub opener: Arc<dyn OpenSigner>,
    /// Whether to verify the signatures of its signer.
    pub checking: Checking,
    /// The threads that sign, of each share.
    pub pools: Arc<Pools>,
    /// Says whether the lease still stands.
    pub standing: Arc<Standing>,
}

/// Owns the signer of one key. Its mailbox is sequential: the next batch waits until this one is done. The signer
/// travels with the job, so nothing else can use it at the same time.
pub struct KeyActor {
    key: KeyId,
    opened: Option<SigningKey>,
    tools: KeyTools,
}

impl KeyActor {
    /// The owner of `key`. The key is opened when it is first needed.
    pub fn new(key: KeyId, tools: KeyTools) -> Self {
        Self { key, opened: None, tools }
    }
}

impl Actor for KeyActor {
    type Context = Context<Self>;
}

impl Handler<Sign> for KeyActor {
    type Result = AtomicResponse<Self, Result<SignedBatch, SignFailed>>;

    fn handle(&mut self, Sign(leased): Sign, _: &mut Self::Context) -> Self::Result {
        debug_assert_eq!(leased.lease.key(), self.key);
        let signing = sign(self.key, self.opened.take(), self.tools.clone(), leased);
        AtomicResponse::new(Box::pin(signing.into_actor(self).map(|(opened, result), actor, _| {
            // A key that failed is opened again for the next batch.
            let failed = result.as_ref().is_err_and(SignFailed::blames_key);
            actor.opened = opened.filter(|_| !failed);
            result
        })))
    }
}

type Returned = (Option<SigningKey>, Result<SignedBatch, SignFailed>);

async fn sign(key: KeyId, opened: Option<SigningKey>, tools: KeyTools, leased: Leased) -> Returned {
    let source = match opened {
        Some(opened) => KeySource::Ready(opened),
        None => match ask(&tools.db.load_key, LoadKey(key)).await {
            Ok(Some(stored)) => KeySource::Stored(tools.opener, stored, tools.checking),
            Ok(None) => return (None, Err(SignFailed::NoSuchKey)),
            Err(error) => return (None, Err(error.into())),
        },
    };
    let Leased { lease, contents } = leased;
    let (done, reply) = oneshot::channel();
    let permit = tools.standing.permit(lease.node(), tools.pools.shares().of(source.custody()));
    tools.pools.submit(Job::new(source, lease, contents, permit, done));
    let Done { key: opened, result } =
        reply.await.unwrap_or(Done { key: None, result: Err(SignFailed::Gone) });
    (opened, result)
}
