//! One record and its signature.

use super::{Problem, group::Group, keys::VerifyingKey};
use crate::{
    domain::{
        Fingerprint, RecordId, Runs, Scheme,
        promises::{Breach, Records},
    },
    signer::{Engine, PublicKey},
    store::{Reading, StoreError},
};

/// The result of the check of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordVerdict {
    /// Its signature verifies.
    Verified {
        /// The key that signed it.
        fingerprint: Fingerprint,
        /// How it was signed.
        scheme: Scheme,
        /// When its signature was stored.
        signed_at: String,
    },
    /// The record waits for its signature.
    NotSigned,
    /// The record does not exist.
    NoSuchRecord,
    /// Something is wrong with it.
    Wrong(Problem),
}

/// Checks one record's signature with the public key alone.
///
/// # Errors
/// When the database cannot be read.
pub fn check_record(
    store: &dyn Reading,
    engine: Engine,
    record: RecordId,
) -> Result<RecordVerdict, StoreError> {
    if record.0 < 1 {
        return Ok(RecordVerdict::NoSuchRecord);
    }
    let one: Runs = [record].into_iter().collect();
    let Some(batch) = store.batch_of(record)? else {
        let mut verdict = RecordVerdict::NoSuchRecord;
        store.read_signed(&one, &mut |_| verdict = RecordVerdict::NotSigned)?;
        return Ok(verdict);
    };
    let wrong = |breach: Breach| Ok(RecordVerdict::Wrong(breach.into()));
    let Some((key_id, scheme)) = batch.key.zip(batch.scheme) else {
        let (batch, state) = (batch.id, batch.state.name());
        return wrong(Breach::WrongState {
            batch,
            state,
            what: "it lacks its key or scheme, though a signature names it",
        });
    };
    let no_key = Breach::NoKey { batch: batch.id, key: key_id };
    let Some(stored) = store.key(key_id)? else { return wrong(no_key) };
    let Ok(public_key) = PublicKey::from_spki(&stored.public_key) else { return wrong(no_key) };
    let Ok(key) = VerifyingKey::new(engine, &public_key) else { return wrong(no_key) };
    let mut checked = Records::new(&batch, &one);
    let mut group = Group::new(Some((&key, scheme)));
    store.read_signed(&one, &mut |row| group.add(row, &mut checked))?;
    group.judge(&mut checked);
    match checked.end().breaches.into_iter().next() {
        Some(breach) => wrong(breach),
        None => Ok(RecordVerdict::Verified {
            fingerprint: public_key.fingerprint(),
            scheme,
            signed_at: batch.signed_at.clone().unwrap_or_default(),
        }),
    }
}
