//! The key pool: adding keys, opening them, and changing their states.

use crate::{
    domain::{
        By, Fingerprint, KeyId, KeyLimits, KeyMaterial, KeyState, LimitChange, LimitRefusal, StoredKey,
    },
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

    /// Sets limits of a key. No lease is given to any node in the meantime, so that no lease exceeds the new limits.
    fn set_key_limits(
        &self,
        key: KeyId,
        change: &LimitChange,
        by: &By,
    ) -> Result<KeyLimitsVerdict, StoreError>;

    /// Stores the certificates of a key in place of those that it has; `None` removes them. Callers check before that they
    /// are certificates of this key.
    fn set_certificates(
        &self,
        key: KeyId,
        certificates: Option<&NewCertificates>,
        by: &By,
    ) -> Result<CertificatesVerdict, StoreError>;

    /// Asks `reseal` what to do with each sealed key, whatever its state, and does all of it or nothing. No key is added in
    /// the meantime. `reseal` gets the fingerprint and the sealed private half. It may be asked again from the first key on,
    /// when the transaction is repeated.
    ///
    /// If a key was replaced, the audit log gets a row that names `master_key`, the id of the new master key.
    fn reseal_keys(
        &self,
        master_key: &str,
        reseal: &mut dyn FnMut(&Fingerprint, &[u8]) -> Reseal,
        by: &By,
    ) -> Result<ResealVerdict, StoreError>;
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
    /// What limits it from the start.
    pub limits: KeyLimits,
}

/// Certificates of a key, to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCertificates {
    /// The DER of each certificate after that of the one before; the key's own is the first. 64 KiB at most.
    pub chain: Vec<u8>,
    /// What the audit log says of them.
    pub summary: String,
}

/// What became of a key that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddKeyVerdict {
    /// It is new, and has this id now.
    Added(KeyId),
    /// It was there already.
    AlreadyThere(KeyId),
}

/// What became of a request to set limits of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyLimitsVerdict {
    /// Done; the limits that it has now.
    Set(KeyLimits),
    /// Refused by [`KeyLimits::changed`].
    Refused(LimitRefusal),
    /// There is no such key.
    NoSuchKey,
}

/// What became of a request to set certificates of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificatesVerdict {
    /// Done.
    Set,
    /// There was nothing to remove.
    HadNone,
    /// There is no such key.
    NoSuchKey,
}

/// What to do with a sealed key.
#[derive(Clone, PartialEq, Eq)]
pub enum Reseal {
    /// Leave it as it is.
    Keep,
    /// Store this in its place.
    Replace(Vec<u8>),
    /// Change nothing at all.
    Refuse,
}

/// What became of the sealed keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResealVerdict {
    /// Done.
    Done {
        /// How many were replaced.
        replaced: usize,
        /// How many were left as they are.
        kept: usize,
    },
    /// This key was refused, and none was changed.
    Refused(KeyId),
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
