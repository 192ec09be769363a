//! That every key may sign as the settings say.

use anyhow::Result;

use super::context::Database;
use crate::{
    domain::{KeyState, Scheme},
    signer::{PublicKey, SignerError},
};

/// Refuses to begin while a key is active that must not sign with `scheme`: its signer would refuse each batch
/// until the key is suspended. A stored public key that is damaged is left to those who sign with it.
pub fn check(database: &Database, scheme: Scheme) -> Result<()> {
    for key in database.store.keys()?.iter().filter(|key| key.state == KeyState::Active) {
        if let Ok(public_key) = PublicKey::from_spki(&key.public_key)
            && !public_key.may_sign(scheme)
        {
            let (fingerprint, allowed) = (key.fingerprint, public_key.schemes());
            return Err(SignerError::SchemeForbidden { fingerprint, scheme, allowed }.into());
        }
    }
    Ok(())
}
