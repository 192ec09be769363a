//! The check that every key may sign with the scheme in the settings.

use anyhow::Result;

use super::context::Database;
use crate::{
    domain::{KeyState, Scheme},
    signer::{PublicKey, SignerError},
};

/// Refuses to start while an active key must not sign with `scheme`, because its signer would refuse each batch
/// until the key is suspended. A damaged public key is no error here: opening its signer reports it.
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
