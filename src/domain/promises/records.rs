//! The records of a batch, each with its signature.

use super::Breach;
use crate::domain::{BatchId, BatchRow, BatchState, RecordId, Runs};

/// Some or all of the records of one batch, to be seen in id order.
pub struct Records<'a> {
    batch: &'a BatchRow,
    /// Those that have not come yet.
    expected: Box<dyn Iterator<Item = RecordId> + 'a>,
    last: Option<RecordId>,
    checked: Checked,
}

/// What the check of records came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Signatures that verified.
    pub verified: u64,
    /// What is wrong.
    pub breaches: Vec<Breach>,
}

/// Why a signature is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// It has not the length of the key's modulus.
    Length {
        /// That length, in bytes.
        expected: usize,
    },
    /// It does not verify with the key and scheme of the batch.
    Value,
}

impl<'a> Records<'a> {
    /// `records` are all that are looked at: of `batch`, or of a part of it.
    pub fn new(batch: &'a BatchRow, records: &'a Runs) -> Self {
        Self { batch, expected: Box::new(records.iter()), last: None, checked: Checked::default() }
    }

    /// Takes the next record that is there, with the batch that its signature names and the signature.
    /// What has two signatures comes twice. `verify` is asked whether a signature is one of this record
    /// by the key of the batch.
    pub fn see(
        &mut self,
        record: RecordId,
        signature: Option<(BatchId, &[u8])>,
        verify: impl FnOnce(&[u8]) -> Result<(), Invalid>,
    ) {
        if self.last.replace(record) == Some(record) {
            self.checked.breaches.push(Breach::TwoSignatures { record });
            return;
        }
        let batch = self.batch.id;
        let missing = self.expected.by_ref().take_while(|id| *id < record);
        self.checked.breaches.extend(missing.map(|record| Breach::RecordMissing { record, batch }));
        match self.judge(record, signature, verify) {
            Ok(verified) => self.checked.verified += verified,
            Err(breach) => self.checked.breaches.push(breach),
        }
    }

    /// Whether it has the signature that it must have; returns how many verified.
    fn judge(
        &self,
        record: RecordId,
        signature: Option<(BatchId, &[u8])>,
        verify: impl FnOnce(&[u8]) -> Result<(), Invalid>,
    ) -> Result<u64, Breach> {
        let batch = self.batch.id;
        match (self.batch.state, signature) {
            (BatchState::Open | BatchState::Leased, None) => Ok(0),
            (BatchState::Open | BatchState::Leased, Some(_)) => {
                Err(Breach::SignatureTooEarly { record, batch })
            }
            (BatchState::Signed, None) => Err(Breach::SignatureMissing { record, batch }),
            (BatchState::Signed, Some((named, _))) if named != batch => {
                Err(Breach::WrongBatch { record, batch, named })
            }
            (BatchState::Signed, Some((_, value))) => {
                // Without a key the row is a breach by itself.
                let Some(key) = self.batch.key else { return Ok(0) };
                verify(value).map(|()| 1).map_err(|invalid| match invalid {
                    Invalid::Length { expected } => {
                        Breach::WrongLength { record, key, expected, found: value.len() }
                    }
                    Invalid::Value => Breach::DoesNotVerify { record, batch, key },
                })
            }
        }
    }

    /// What was found so far, where the rest cannot be read.
    pub fn abandon(self) -> Checked {
        self.checked
    }

    /// There are no more.
    pub fn end(mut self) -> Checked {
        let batch = self.batch.id;
        self.checked.breaches.extend(self.expected.map(|record| Breach::RecordMissing { record, batch }));
        self.checked
    }
}
