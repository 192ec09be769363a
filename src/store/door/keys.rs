//! The key pool: adding keys, opening them, and changing their states.

use crate::{
    domain::{By, Fingerprint, KeyId, KeyMaterial, KeyState, StoredKey},
    store::StoreError,
};

/// The keys, private halves included. What may be shown of them is in [`Reading`](super::Reading). A change and its row
/// of the [audit log](super::Access::audit_log) are one transaction.
pub trait KeyPool {
    /// Adds a key unless a key with its fingerprint exists.
    fn add_key(&self, key: &NewKey, by: &By) -> Result<AddKeyVerdict, StoreError>;

    /// One key with its sealed private half; `None` if there is no such key.
    fn stored_key(&self, key: KeyId) -> Result<Option<StoredKey>, StoreError>;

    /// Puts a key into another state, with a reason for people to read.
    fn set_key_state(
        &self,
        key: KeyId,
        state: KeyState,
        reason: Option<&str>,
        by: &By,
    ) -> Result<KeyStateVerdict, StoreError>;
}

/// A key to add.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// SHA-256 of `public_key`.
    pub fingerprint: Fingerprint,
    /// DER SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
    /// Bits of the modulus.
    pub bits: u32,
    /// The private half, or where it is.
    pub material: KeyMaterial,
}

/// What became of a key that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddKeyVerdict {
    /// It is new, and has this id now.
    Added(KeyId),
    /// It was there already.
    AlreadyThere(KeyId),
}

/// What became of a request to change a key's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStateVerdict {
    /// Done; the state it had before.
    Changed(KeyState),
    /// Refused by [`KeyState::may_become`]; the state it has.
    Refused(KeyState),
    /// There is no such key.
    NoSuchKey,
}
