//! The largest payload that the database takes, which an operator may change at any time.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How long the limit is believed. A limit that was lowered in the meantime is still enforced by the database.
const BELIEVED: Duration = Duration::from_secs(10);

/// The limit as it was read last.
#[derive(Default)]
pub struct PayloadLimit(Mutex<Option<(usize, Instant)>>);

impl PayloadLimit {
    /// The limit in bytes, if it was read a short time ago.
    pub fn known(&self) -> Option<usize> {
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.filter(|(_, read)| read.elapsed() < BELIEVED).map(|(limit, _)| limit)
    }

    /// Notes the limit, which was just read.
    pub fn note(&self, limit: usize) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((limit, Instant::now()));
    }
}
