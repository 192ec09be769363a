//! The rows of new keys.

use anyhow::{Result, bail};

use crate::{
    cli::user,
    domain::{KeyLimits, KeyMaterial},
    signer::{MasterKeys, PrivateKey, PublicKey, SignerError},
    store::{AddKeyVerdict, NewKey, Store},
};

/// Which keys to make.
pub struct NewKeys {
    /// How many.
    pub count: usize,
    /// Bits of the modulus of each.
    pub bits: u32,
    /// What limits each.
    pub limits: KeyLimits,
}

/// The row of a private key without limits, sealed under the master key.
pub fn sealed(masters: &MasterKeys, key: &PrivateKey) -> Result<NewKey, SignerError> {
    Ok(row(key.public_key(), KeyMaterial::Sealed(masters.seal(key)?)))
}

/// The row of a key without limits.
pub fn row(key: &PublicKey, material: KeyMaterial) -> NewKey {
    let (fingerprint, public_key) = (key.fingerprint(), key.spki().to_vec());
    NewKey { fingerprint, public_key, bits: key.bits(), material, limits: KeyLimits::default() }
}

/// Adds a key that must be new.
pub fn add(store: &dyn Store, key: &NewKey) -> Result<()> {
    match store.add_key(key, &user::by())? {
        AddKeyVerdict::Added(_) => Ok(()),
        AddKeyVerdict::AlreadyThere(id) => bail!("key {} is already stored, as key {id}", key.fingerprint),
    }
}
