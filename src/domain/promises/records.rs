//! Checks the records of a batch, each with its signature.

use super::Breach;
use crate::domain::{BatchId, BatchRow, BatchState, RecordId, Runs};

/// Some or all of the records of one batch, to be seen in id order.
pub struct Records<'a> {
    batch: &'a BatchRow,
    /// The records that have not been seen yet.
    expected: Box<dyn Iterator<Item = RecordId> + 'a>,
    last: Option<RecordId>,
    checked: Checked,
}

/// The result of the check of records.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Signatures that verified.
    pub verified: u64,
    /// What is wrong.
    pub breaches: Vec<Breach>,
}

/// Why a signature is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// It is not as long as the key's modulus.
    Length {
        /// Length of the modulus in bytes.
        expected: usize,
    },
    /// It does not verify with the key and scheme of the batch.
    Value,
}

impl<'a> Records<'a> {
    /// A check of `records`, which are all records of `batch` or a part of them.
    pub fn new(batch: &'a BatchRow, records: &'a Runs) -> Self {
        Self { batch, expected: Box::new(records.iter()), last: None, checked: Checked::default() }
    }

    /// Takes the next stored record, with its signature and the batch that the signature names. Callers must
    /// pass a record with two signatures twice. `verify` must check the signature of this record with the key of
    /// the batch.
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
        let may_miss = self.batch.state == BatchState::Lost;
        let missing = self.expected.by_ref().take_while(|id| *id < record).filter(|_| !may_miss);
        self.checked.breaches.extend(missing.map(|record| Breach::RecordMissing { record, batch }));
        match self.judge(record, signature, verify) {
            Ok(verified) => self.checked.verified += verified,
            Err(breach) => self.checked.breaches.push(breach),
        }
    }

    /// Checks that the record has the signature that it must have. Returns how many signatures verified.
    fn judge(
        &self,
        record: RecordId,
        signature: Option<(BatchId, &[u8])>,
        verify: impl FnOnce(&[u8]) -> Result<(), Invalid>,
    ) -> Result<u64, Breach> {
        let batch = self.batch.id;
        match (self.batch.state, signature) {
            (BatchState::Open | BatchState::Leased | BatchState::Lost, None) => Ok(0),
            (BatchState::Open | BatchState::Leased, Some(_)) => {
                Err(Breach::SignatureTooEarly { record, batch })
            }
            (BatchState::Lost, Some(_)) => Err(Breach::LostRecordSigned { record, batch }),
            (BatchState::Signed, None) => Err(Breach::SignatureMissing { record, batch }),
            (BatchState::Signed, Some((named, _))) if named != batch => {
                Err(Breach::WrongBatch { record, batch, named })
            }
            (BatchState::Signed, Some((_, value))) => {
                // A row without a key is already reported as a breach.
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

    /// Ends the check early, because the rest cannot be read. Returns what was found so far.
    pub fn abandon(self) -> Checked {
        self.checked
    }

    /// Ends the check after the last record.
    pub fn end(mut self) -> Checked {
        let batch = self.batch.id;
        // Which records were lost with their batch is known only as a number, which the sums over all rows contain.
        if self.batch.state != BatchState::Lost {
            self.checked.breaches.extend(self.expected.map(|record| Breach::RecordMissing { record, batch }));
        }
        self.checked
    }
}
