//! Checks the row of each public key, and creates one verifier per key.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use super::{Problem, findings::Findings};
use crate::{
    domain::{Digest, KeyId, Scheme, promises::Invalid},
    signer::{CertificateChain, Engine, PublicKey, SignerError, Verifier},
    store::{KeyRow, Reading, StoreError},
};

/// A key that verifies signatures.
pub(super) struct VerifyingKey {
    verifier: Box<dyn Verifier>,
    /// Length in bytes of the modulus, which is also that of each signature.
    modulus_len: usize,
}

impl VerifyingKey {
    pub(super) fn new(engine: Engine, public_key: &PublicKey) -> Result<Self, SignerError> {
        Ok(Self { verifier: engine.verifier(public_key)?, modulus_len: public_key.modulus_len() })
    }

    /// Whether each signature is one of the digest beside it by this key.
    pub(super) fn verify(&self, scheme: Scheme, signed: &[(Digest, &[u8])]) -> Vec<Result<(), Invalid>> {
        let verdict = |(verifies, (_, signature)): (bool, &(Digest, &[u8]))| match verifies {
            _ if signature.len() != self.modulus_len => Err(Invalid::Length { expected: self.modulus_len }),
            true => Ok(()),
            false => Err(Invalid::Value),
        };
        self.verifier.verify_all(scheme, signed).into_iter().zip(signed).map(verdict).collect()
    }
}

/// All usable keys. Keys that are added during the check are loaded when they are first needed.
pub(super) struct VerifyingKeys<'a> {
    store: &'a dyn Reading,
    engine: Engine,
    keys: RwLock<HashMap<KeyId, Arc<VerifyingKey>>>,
}

impl<'a> VerifyingKeys<'a> {
    /// Checks each row against its public key.
    pub(super) fn new(store: &'a dyn Reading, engine: Engine, rows: &[KeyRow], findings: &Findings) -> Self {
        let mut seen = HashMap::new();
        for row in rows {
            if let Some(first) = seen.insert(&row.public_key, row.id) {
                findings.add(Problem::SameKeyTwice { first, second: row.id });
            }
        }
        let keys = rows.iter().filter_map(|row| match check(row, engine, findings) {
            Ok(key) => Some((row.id, Arc::new(key))),
            Err(error) => {
                findings.add(Problem::BadPublicKey { key: row.id, reason: error.to_string() });
                None
            }
        });
        Self { store, engine, keys: RwLock::new(keys.collect()) }
    }

    /// The key with this id, if it exists and is usable.
    pub(super) fn key(&self, id: KeyId) -> Result<Option<Arc<VerifyingKey>>, StoreError> {
        let known = self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let Some(stored) = self.store.key(id)? else { return Ok(None) };
        let Ok(public_key) = PublicKey::from_spki(&stored.public_key) else { return Ok(None) };
        let Ok(key) = VerifyingKey::new(self.engine, &public_key).map(Arc::new) else { return Ok(None) };
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&key));
        Ok(Some(key))
    }
}

/// Checks the certificates that are stored of these keys. A bad public key is reported elsewhere.
pub(super) fn check_certificates(
    store: &dyn Reading,
    rows: &[KeyRow],
    findings: &Findings,
) -> Result<(), StoreError> {
    let rows: HashMap<_, _> = rows.iter().map(|row| (row.id, row)).collect();
    for (key, chain) in store.certificates(None)? {
        let public_key = rows.get(&key).and_then(|row| PublicKey::from_spki(&row.public_key).ok());
        let Some(public_key) = public_key else { continue };
        if let Err(flaw) = CertificateChain::from_der(&chain, &public_key) {
            findings.add(Problem::BadCertificates { key, reason: flaw.to_string() });
        }
    }
    Ok(())
}

fn check(row: &KeyRow, engine: Engine, findings: &Findings) -> Result<VerifyingKey, SignerError> {
    let (key, public_key) = (row.id, PublicKey::from_spki(&row.public_key)?);
    if row.fingerprint != public_key.fingerprint() {
        let actual = public_key.fingerprint();
        findings.add(Problem::WrongFingerprint { key, stored: row.fingerprint, actual });
    }
    if row.bits != public_key.bits() {
        findings.add(Problem::WrongBits { key, stored: row.bits, actual: public_key.bits() });
    }
    VerifyingKey::new(engine, &public_key)
}
