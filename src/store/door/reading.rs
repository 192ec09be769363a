//! Reading: what people and other programs may see.

use super::Status;
use crate::{
    domain::{
        Barred, BatchId, BatchRow, Fingerprint, KeyId, KeyLimits, KeyState, RecordId, Runs, promises::KeyFact,
    },
    store::StoreError,
};

/// Committed rows without any secret. Nothing here changes the database, and nothing waits for writers. A row
/// that cannot be understood is [`StoreError::Corrupt`].
pub trait Reading: Send + Sync {
    /// How far the work is, at a cost that does not grow with the number of records in batches.
    fn status(&self) -> Result<Status, StoreError>;

    /// All keys, in the order in which they were added.
    fn keys(&self) -> Result<Vec<KeyRow>, StoreError>;

    /// One key; `None` if there is no such key.
    fn key(&self, key: KeyId) -> Result<Option<KeyRow>, StoreError>;

    /// The certificates of the keys that have some, in the order in which the keys were added: as they were stored, the DER
    /// of each after that of the one before. Of one key, or of all.
    fn certificates(&self, key: Option<KeyId>) -> Result<Vec<(KeyId, Vec<u8>)>, StoreError>;

    /// Up to `limit` batches with an id above `after`, in id order.
    fn batches(&self, after: BatchId, limit: usize) -> Result<Vec<BatchRow>, StoreError>;

    /// The batch under which a record was signed; `None` when it is not signed.
    fn batch_of(&self, record: RecordId) -> Result<Option<BatchRow>, StoreError>;

    /// Shows each record that exists, in id order, with its signature if it has one, even a signature that
    /// should not be there. Callers must check that the batch is signed before they show the signature.
    fn read_signed(&self, records: &Runs, visit: &mut dyn FnMut(SignedRow<'_>)) -> Result<(), StoreError>;
}

/// A key as people may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Its id.
    pub id: KeyId,
    /// Its name everywhere.
    pub fingerprint: Fingerprint,
    /// DER SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
    /// Bits of the modulus.
    pub bits: u32,
    /// Who has the private half: `database`, or a custodian by its name.
    pub custody: String,
    /// Whether it may sign.
    pub state: KeyState,
    /// Why it is in that state.
    pub state_reason: Option<String>,
    /// What limits it.
    pub limits: KeyLimits,
    /// Why it may not sign now although it is active, by the database's clock.
    pub barred: Option<Barred>,
    /// The batch that is leased with it.
    pub leased_batch: Option<BatchId>,
    /// Its place in the order of use, 0 when never used.
    pub last_leased: i64,
    /// Signatures stored.
    pub signature_count: i64,
    /// When it was added.
    pub created_at: String,
}

impl KeyRow {
    /// What the rules of the promises say something about.
    pub fn fact(&self) -> KeyFact {
        let limit = self.limits.max_signatures.map(|most| most.get());
        KeyFact { key: self.id, signatures: self.signature_count, limit }
    }
}

/// A record with what is known of its signature.
#[derive(Clone, Copy, Debug)]
pub struct SignedRow<'a> {
    /// The record.
    pub record: RecordId,
    /// The caller's own name for it.
    pub external_id: Option<&'a str>,
    /// The signed bytes.
    pub payload: &'a [u8],
    /// The batch that the signature names, and the signature.
    pub signature: Option<(BatchId, &'a [u8])>,
}
