//! The tokens that were used lately, so that not every request asks the database.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{app::App, problem::Problem};
use crate::{
    domain::{Fingerprint, TokenId},
    store::{StoredToken, TokenRow},
};

/// How old the row of a token may be: a token that was revoked is refused after that time at the latest.
const KEPT: Duration = Duration::from_secs(5);
/// How often the use of a token is noted in the database, because each note is a write.
const NOTED: Duration = Duration::from_secs(60);

/// Rows of tokens that were used lately. Only tokens that exist are kept, so their number is bounded by that of the
/// tokens.
#[derive(Default)]
pub struct Tokens {
    by_id: Mutex<HashMap<TokenId, (Arc<StoredToken>, Instant)>>,
    by_certificate: Mutex<HashMap<Fingerprint, (Arc<TokenRow>, Instant)>>,
    noted: Mutex<HashMap<TokenId, Instant>>,
}

impl Tokens {
    /// A token and the age of its row; `None` if there is no such token.
    ///
    /// # Errors
    /// As [`App::read`], and [`Kind::TooManyRequests`](super::problem::Kind::TooManyRequests) when `address` sends too
    /// many tokens that must be looked up.
    pub async fn token(
        &self,
        id: TokenId,
        address: Option<IpAddr>,
        app: &App,
    ) -> Result<Option<(Arc<StoredToken>, Duration)>, Problem> {
        if let Some(found) = fresh(&self.by_id, &id) {
            return Ok(Some(found));
        }
        app.rates().of_unknown(address)?;
        let asked = Instant::now();
        let found = app.read(move |store| store.token(id)).await?.map(Arc::new);
        Ok(keep(&self.by_id, id, found, asked))
    }

    /// The token of a client certificate, by its key, and the age of its row; `None` if there is none.
    ///
    /// # Errors
    /// As [`App::read`].
    pub async fn of_certificate(
        &self,
        key: Fingerprint,
        app: &App,
    ) -> Result<Option<(Arc<TokenRow>, Duration)>, Problem> {
        if let Some(found) = fresh(&self.by_certificate, &key) {
            return Ok(Some(found));
        }
        let asked = Instant::now();
        let found = app.read(move |store| store.token_of_certificate(key)).await?.map(Arc::new);
        Ok(keep(&self.by_certificate, key, found, asked))
    }

    /// Forgets a token that was changed here, so that the change takes effect at once.
    pub fn forget(&self, id: TokenId) {
        lock(&self.by_id).remove(&id);
        lock(&self.by_certificate).retain(|_, (row, _)| row.id != id);
    }

    /// Notes in the database that a token was used, at most once a minute, while its request is answered.
    pub fn note_use(&self, id: TokenId, app: &App) {
        let is_due = |at: &mut Instant| at.elapsed() >= NOTED;
        let mut noted = lock(&self.noted);
        if noted.get_mut(&id).is_some_and(|at| !is_due(at)) {
            return;
        }
        noted.insert(id, Instant::now());
        let app = app.clone();
        actix_rt::spawn(async move {
            // A note that fails is lost. The next one comes within a minute.
            drop(app.change(move |store| store.note_use(id, NOTED)).await);
        });
    }
}

fn fresh<K: Eq + std::hash::Hash, V>(
    kept: &Mutex<HashMap<K, (Arc<V>, Instant)>>,
    key: &K,
) -> Option<(Arc<V>, Duration)> {
    let kept = lock(kept);
    let (row, asked) = kept.get(key)?;
    let age = asked.elapsed();
    (age < KEPT).then(|| (Arc::clone(row), age))
}

fn keep<K: Eq + std::hash::Hash, V>(
    kept: &Mutex<HashMap<K, (Arc<V>, Instant)>>,
    key: K,
    found: Option<Arc<V>>,
    asked: Instant,
) -> Option<(Arc<V>, Duration)> {
    let mut kept = lock(kept);
    match found {
        None => {
            kept.remove(&key);
            None
        }
        Some(row) => {
            kept.insert(key, (Arc::clone(&row), asked));
            Some((row, asked.elapsed()))
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
