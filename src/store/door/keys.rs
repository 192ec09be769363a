//! The key pool: adding keys, opening them, and changing their states.

use crate::{
    domain::{Custody, Fingerprint, KeyId, KeyState},
    store::StoreError,
};

/// The keys, private halves included. What may be shown of them is in [`Reading`](super::Reading).
pub trait KeyPool {
    /// Adds a key unless its fingerprint is there.
    fn add_key(&self, key: &NewKey) -> Result<AddKeyVerdict, StoreError>;

    /// One key with its sealed private half; `None` if there is no such key.
    fn stored_key(&self, key: KeyId) -> Result<Option<StoredKey>, StoreError>;

    /// Puts a key into another state, with a reason for people to read.
    fn set_key_state(
        &self,
        key: KeyId,
        state: KeyState,
        reason: Option<&str>,
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
    /// Where the private half is.
    pub custody: Custody,
    /// The private half, sealed.
    pub sealed_key: Vec<u8>,
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

/// What a signer is opened from.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its id.
    pub id: KeyId,
    /// Its name everywhere.
    pub fingerprint: Fingerprint,
    /// DER SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
    /// The private half, sealed under the master key; `None` when it is kept elsewhere.
    pub sealed_key: Option<Vec<u8>>,
}

impl std::fmt::Debug for StoredKey {
    /// Shows which key, never the sealed bytes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoredKey({}, {})", self.id, self.fingerprint)
    }
}
