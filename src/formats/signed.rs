//! Signed batches: what the rows of a batch have in common, for those who write its signatures.

use std::collections::{HashMap, hash_map::Entry};

use super::signatures::Row;
use crate::{
    domain::{BatchRow, KeyId, Scheme},
    store::{Reading, SignedRow, StoreError},
};

/// A signed batch, and what its rows have in common.
pub struct Signed<'a> {
    batch: &'a BatchRow,
    fingerprint: String,
    scheme: Scheme,
}

impl Signed<'_> {
    /// The row of a record, if it has a signature of this batch.
    pub fn row<'a>(&'a self, row: &SignedRow<'a>, with_payload: bool) -> Option<Row<'a>> {
        let (_, signature) = row.signature.filter(|(batch, _)| *batch == self.batch.id)?;
        Some(Row {
            record_id: row.record,
            external_id: row.external_id,
            fingerprint: &self.fingerprint,
            scheme: self.scheme,
            signed_at: self.batch.signed_at.as_deref().unwrap_or_default(),
            signature,
            payload: with_payload.then_some(row.payload),
            position: None,
        })
    }
}

/// The keys' fingerprints, each read when it is first needed.
#[derive(Default)]
pub struct Fingerprints(HashMap<KeyId, String>);

impl Fingerprints {
    /// What the rows of a batch have in common; `None` for a batch that lacks its key or scheme, which is damage.
    ///
    /// # Errors
    /// Those of the store.
    pub fn signed<'a>(
        &mut self,
        store: &dyn Reading,
        batch: &'a BatchRow,
    ) -> Result<Option<Signed<'a>>, StoreError> {
        let Some((key, scheme)) = batch.key.zip(batch.scheme) else { return Ok(None) };
        let fingerprint = match self.0.entry(key) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(unknown) => {
                let Some(row) = store.key(key)? else { return Ok(None) };
                unknown.insert(row.fingerprint.to_string()).clone()
            }
        };
        Ok(Some(Signed { batch, fingerprint, scheme }))
    }
}
