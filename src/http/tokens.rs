//! The tokens that were used lately, so that not every request asks the database.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    domain::{Fingerprint, SessionParent, TokenId},
    store::{StoredToken, TokenRow},
};

/// How often the use of a token is noted in the database, because each note is a write.
pub const NOTED: Duration = Duration::from_secs(60);

/// Rows of tokens that were used lately, and when the use of each was noted.
#[derive(Default)]
pub struct Tokens {
    /// By the id in the token.
    pub by_id: Kept<TokenId, StoredToken>,
    /// By the key of a client certificate.
    pub by_certificate: Kept<Fingerprint, TokenRow>,
    noted: Mutex<HashMap<TokenId, Instant>>,
}

impl Tokens {
    /// Forgets a token that was changed here, and its sessions, so that the change takes effect at once.
    pub fn forget(&self, id: TokenId) {
        let is_its = |row: &TokenRow| row.id == id || row.parent == Some(SessionParent::Token(id));
        lock(&self.by_id.0).retain(|_, (stored, _)| !is_its(&stored.row));
        lock(&self.by_certificate.0).retain(|_, (row, _)| row.id != id);
    }

    /// Whether the use of a token must be noted now, which is once a minute.
    pub fn is_due(&self, id: TokenId) -> bool {
        let mut noted = lock(&self.noted);
        let is_due = noted.get(&id).is_none_or(|at| at.elapsed() >= NOTED);
        if is_due {
            noted.insert(id, Instant::now());
        }
        is_due
    }
}

/// Rows that were read lately. Only rows that exist are kept, so their number is bounded by that of the tokens.
pub struct Kept<K, V>(Mutex<HashMap<K, (Arc<V>, Instant)>>);

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// How old a row may be: a token that was revoked is refused after that time at the latest.
const KEPT: Duration = Duration::from_secs(5);

impl<K: Eq + Hash, V> Kept<K, V> {
    /// A row and its age: one that was read lately, or else the one that `read` finds.
    ///
    /// # Errors
    /// Those of `read`.
    pub async fn row<E>(
        &self,
        key: K,
        read: impl Future<Output = Result<Option<V>, E>>,
    ) -> Result<Option<(Arc<V>, Duration)>, E> {
        if let Some((row, asked)) = lock(&self.0).get(&key)
            && asked.elapsed() < KEPT
        {
            return Ok(Some((Arc::clone(row), asked.elapsed())));
        }
        let asked = Instant::now();
        let found = read.await?.map(Arc::new);
        let mut kept = lock(&self.0);
        match &found {
            Some(row) => _ = kept.insert(key, (Arc::clone(row), asked)),
            None => _ = kept.remove(&key),
        }
        Ok(found.map(|row| (row, asked.elapsed())))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
