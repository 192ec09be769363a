//! Layer 3, heads: signs checkpoints of the ledger with its key, once a second while it grows, and at a stop.

use std::{sync::Arc, time::Duration};

use actix::Addr;
use actix_rt::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    actors::{call::call, db_executor::DbExecutor, outage::Outage},
    domain::ledger::{Checkpoint, Note, VerifierKey},
    signer::{Keyring, LedgerKey, SignerError},
    store::{LedgerRow, SealedLedgerKey, Store, StoreError},
};

/// The time between two checkpoints.
const PAUSE: Duration = Duration::from_secs(1);

/// How long the last checkpoint of a run may take.
const ENDING: Duration = Duration::from_secs(5);

/// Why there is no checkpoint.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HeadError {
    /// The database does not do what it is asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key of the ledger cannot be used.
    #[error(transparent)]
    Signer(#[from] SignerError),
}

/// The heads of a run.
pub struct Heads {
    task: JoinHandle<()>,
    db: Addr<DbExecutor>,
    keyring: Arc<Keyring>,
}

impl Heads {
    /// Begins to sign, beside a run. `transactions` are the run's database threads, and `keyring` opens the key of the
    /// ledger, which is made if there is none. To be called inside an actix system.
    pub fn start(transactions: &Addr<DbExecutor>, keyring: &Arc<Keyring>) -> Self {
        let (db, keyring) = (transactions.clone(), Arc::clone(keyring));
        let task = actix_rt::spawn(keep_signing(db.clone(), Arc::clone(&keyring)));
        Self { task, db, keyring }
    }

    /// Ends it with a last checkpoint.
    pub async fn end(self) {
        self.task.abort();
        match timeout(ENDING, sign_once(&self.db, &self.keyring)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log::warn!("the last head of the ledger is not signed: {error}"),
            Err(_) => log::warn!("the last head of the ledger is not signed: the database does not answer"),
        }
    }
}

async fn keep_signing(db: Addr<DbExecutor>, keyring: Arc<Keyring>) {
    let mut outage = Outage::default();
    loop {
        sleep(PAUSE).await;
        outage.note("sign the head of the ledger", &sign_once(&db, &keyring).await);
    }
}

async fn sign_once(db: &Addr<DbExecutor>, keyring: &Arc<Keyring>) -> Result<(), HeadError> {
    let keyring = Arc::clone(keyring);
    call(db, move |store| Ok(sign_head(store, &keyring))).await?
}

/// Signs a checkpoint of what the ledger is now, unless there is one, or there is nothing to sign with. What is read was
/// committed, and of a ledger that is halted nothing is signed: so no two checkpoints contradict each other.
///
/// # Errors
/// Those of the database, and of the key of the ledger.
pub fn sign_head(store: &dyn Store, keyring: &Keyring) -> Result<(), HeadError> {
    let LedgerRow { origin, head, halted, checkpoint, .. } = store.ledger()?;
    let is_signed = checkpoint.is_some_and(|(size, _)| size >= head.size);
    if is_signed || head.size == 0 || halted.is_some() || !keyring.has_master_key() {
        return Ok(());
    }
    let key = key(store, keyring)?;
    let vkey = VerifierKey { origin, public: key.public() };
    let checkpoint = Checkpoint { origin, size: head.size, root: head.root };
    let signature = key.sign(&checkpoint.to_string())?;
    let note = Note::new(&checkpoint, &vkey, &signature);
    Ok(store.store_checkpoint(head.size, &note.to_string())?)
}

/// The key of the ledger. If there is none, it is made. Of several processes that do so at once, the first one prevails.
fn key(store: &dyn Store, keyring: &Keyring) -> Result<LedgerKey, HeadError> {
    let SealedLedgerKey { public, sealed } = match store.ledger_key()? {
        Some(key) => key,
        None => {
            let key = LedgerKey::generate()?;
            let sealed = keyring.seal_ledger_key(&key)?;
            store.add_ledger_key(&SealedLedgerKey { public: key.public(), sealed })?;
            let missing = || StoreError::Corrupt("the ledger has no key".to_owned());
            store.ledger_key()?.ok_or_else(missing)?
        }
    };
    Ok(keyring.unseal_ledger_key(&public, &sealed)?)
}
