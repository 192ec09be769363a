//! Whether everything that is lost can be put back, before anything is changed.

use std::collections::BTreeMap;

use super::{
    chain::Chain,
    error::{HealError, Lack},
    exports::Exports,
};
use crate::{
    anchors::{IntendedBatch, IntendedEntry},
    domain::{
        Digest, RecordId, Scheme,
        ledger::{Entry, Hash},
    },
    signer::digest,
    store::{RecordName, Restores, Wanted},
};

/// Checks that the files have what is lost, and that it fits to what the database has.
pub(super) fn check(store: &dyn Restores, chain: &Chain, exports: &mut Exports) -> Result<(), HealError> {
    for entry in chain.entries() {
        let key = match &entry.what {
            IntendedEntry::Batch(batch) => batch.fingerprint,
            IntendedEntry::Other(Entry::Key(changed)) => changed.fingerprint,
            IntendedEntry::Other(_) => return Err(HealError::OtherEntry(entry.seq)),
        };
        if store.key_named(&key)?.is_none() {
            return Err(HealError::KeyLost(key));
        }
    }
    let mut lacks = Vec::new();
    for (batch, leaf) in chain.batches() {
        lacks.extend(lack(store, batch, leaf, exports)?);
    }
    if !lacks.is_empty() {
        return Err(HealError::Incomplete(lacks));
    }
    chain.batches().into_iter().try_for_each(|(batch, leaf)| fits(store, batch, leaf, exports))
}

/// What the files lack of a batch.
fn lack(
    store: &dyn Restores,
    batch: &IntendedBatch,
    leaf: Hash,
    exports: &Exports,
) -> Result<Option<Lack>, HealError> {
    let there = existing(store, batch, None)?;
    let mut lack =
        Lack { batch: batch.clone(), bundles: [].into_iter().collect(), payloads: [].into_iter().collect() };
    for (index, record) in batch.records.iter().enumerate() {
        match exports.has(leaf, index) {
            None => lack.bundles.push(record),
            Some(false) if !there.contains_key(&record) => lack.payloads.push(record),
            Some(_) => {}
        }
    }
    Ok((!lack.bundles.is_empty() || !lack.payloads.is_empty()).then_some(lack))
}

/// Whether the records of a batch that are there are those that were signed, and no other has the name of one that is not.
fn fits(
    store: &dyn Restores,
    batch: &IntendedBatch,
    leaf: Hash,
    exports: &mut Exports,
) -> Result<(), HealError> {
    let scheme = exports.entry(leaf).map(|entry| entry.scheme);
    let there = existing(store, batch, scheme)?;
    for (index, record) in batch.records.iter().enumerate() {
        let other = |what| Err(HealError::OtherRecord { record, what });
        let Some(bundle) = exports.bundle(leaf, index)? else { continue };
        match there.get(&record) {
            Some(row) if row.is_signed => return other("is signed otherwise"),
            Some(row) if row.digest.as_ref() != Some(&bundle.digest) => {
                return other("has other bytes than it had");
            }
            Some(row) if row.name != bundle.external_id => {
                return other("has another external_id than it had");
            }
            Some(_) => {}
            None => {
                let named = match &bundle.external_id {
                    Some(name) => store.record(RecordName::External(name), Wanted::default())?,
                    None => None,
                };
                if let Some(other) = named {
                    return Err(HealError::OtherRecord {
                        record: other.id,
                        what: "has the external_id of another one",
                    });
                }
            }
        }
    }
    Ok(())
}

/// A record that the database has.
pub(super) struct Existing {
    digest: Option<Digest>,
    name: Option<String>,
    is_signed: bool,
}

/// The records of a batch that the database has, with their digests if a scheme is given.
pub(super) fn existing(
    store: &dyn Restores,
    batch: &IntendedBatch,
    scheme: Option<Scheme>,
) -> Result<BTreeMap<RecordId, Existing>, HealError> {
    let mut there = BTreeMap::new();
    store.read_signed(&batch.records, &mut |row| {
        let existing = Existing {
            digest: scheme.map(|scheme| digest(scheme.digest(), row.payload)),
            name: row.external_id.map(str::to_owned),
            is_signed: row.signature.is_some(),
        };
        there.insert(row.record, existing);
    })?;
    Ok(there)
}
