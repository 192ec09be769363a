//! Failing: since when each check of the health fails.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use tokio::time::Instant;

/// Since when each check fails.
#[derive(Default)]
pub struct Failing(Mutex<BTreeMap<&'static str, Instant>>);

impl Failing {
    /// For how many seconds the check `name` has failed; `None` if it is `ok`.
    pub fn note(&self, name: &'static str, ok: bool) -> Option<u64> {
        let mut failing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ok {
            failing.remove(name);
            return None;
        }
        Some(failing.entry(name).or_insert_with(Instant::now).elapsed().as_secs())
    }
}
