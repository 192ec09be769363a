//! Naming one key: by its id, or by the start of its fingerprint.

use anyhow::{Result, bail};

use crate::store::{KeyRow, Store};

/// The key called `name`.
///
/// # Errors
/// When there is none, or more than one.
pub fn select(store: &dyn Store, name: &str) -> Result<KeyRow> {
    let prefix = name.to_ascii_lowercase();
    let is_meant = |key: &KeyRow| {
        key.id.to_string() == name
            || (prefix.len() >= MIN_PREFIX && key.fingerprint.to_string().starts_with(&prefix))
    };
    let mut keys = store.keys()?.into_iter().filter(is_meant);
    match (keys.next(), keys.next()) {
        (Some(key), None) => Ok(key),
        (None, _) => bail!(
            "there is no key '{name}': give an id, or {MIN_PREFIX} or more digits of a fingerprint; 'signwave keys \
             list' shows them"
        ),
        (Some(one), Some(other)) => bail!(
            "'{name}' may be key {} ({}) or key {} ({}): give more digits of the fingerprint",
            one.id,
            one.fingerprint,
            other.id,
            other.fingerprint
        ),
    }
}

/// The fewest digits of a fingerprint that name a key.
const MIN_PREFIX: usize = 4;
