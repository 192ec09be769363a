//! The records of a batch, each with its signature. This is the part that takes the time.

use std::sync::Arc;

use super::{Problem, batches::Scan, keys::VerifyingKey};
use crate::{
    domain::{BatchId, BatchState, KeyId, RecordId, Runs, Scheme},
    signer::digest,
    store::{BatchRow, SignedRow, StoreError},
};

/// Some of the records of one batch.
pub(super) struct Piece {
    pub(super) batch: Arc<BatchRow>,
    pub(super) records: Runs,
}

/// Checks the records of a piece; returns how many signatures verified.
pub(super) fn check_piece(scan: &Scan<'_>, piece: &Piece) -> Result<u64, StoreError> {
    let checked = match piece.batch.state {
        BatchState::Signed => check_signed(scan, &piece.batch, &piece.records),
        BatchState::Open | BatchState::Leased => check_unsigned(scan, piece),
    };
    match checked {
        Err(StoreError::Corrupt(reason)) => {
            let what = format!("a record of batch {}", piece.batch.id);
            scan.findings.add(Problem::Unreadable { what, reason });
            Ok(0)
        }
        checked => checked,
    }
}

fn check_signed(scan: &Scan<'_>, batch: &BatchRow, records: &Runs) -> Result<u64, StoreError> {
    // Without these two the row was reported already.
    let Some((key_id, scheme)) = batch.key.zip(batch.scheme) else { return Ok(0) };
    let Some(key) = scan.ring.key(key_id)? else {
        scan.findings.add(Problem::NoKey { batch: batch.id, key: key_id });
        return Ok(0);
    };
    let signed = Signed { batch: batch.id, key_id, key: &key, scheme };
    let mut verified = 0;
    read_present(scan, batch.id, records, &mut |row| match signed.problem(&row) {
        None => verified += 1,
        Some(problem) => scan.findings.add(problem),
    })?;
    Ok(verified)
}

/// Under what a record must be signed.
pub(super) struct Signed<'a> {
    pub(super) batch: BatchId,
    pub(super) key_id: KeyId,
    pub(super) key: &'a VerifyingKey,
    pub(super) scheme: Scheme,
}

impl Signed<'_> {
    /// What is wrong with the record's signature.
    pub(super) fn problem(&self, row: &SignedRow<'_>) -> Option<Problem> {
        let (record, batch, key) = (row.record, self.batch, self.key_id);
        let Some((named, signature)) = row.signature else {
            return Some(Problem::SignatureMissing { record, batch });
        };
        if named != batch {
            return Some(Problem::WrongBatch { record, batch, named });
        }
        if signature.len() != self.key.modulus_len {
            let (expected, found) = (self.key.modulus_len, signature.len());
            return Some(Problem::WrongLength { record, key, expected, found });
        }
        let digest = digest(self.scheme.digest(), row.payload);
        let verifies = self.key.verifier.verify(self.scheme, &digest, signature);
        (!verifies).then_some(Problem::DoesNotVerify { record, batch, key })
    }
}

/// No record of an unsigned batch may have a signature, unless the batch was signed since its row
/// was read.
fn check_unsigned(scan: &Scan<'_>, piece: &Piece) -> Result<u64, StoreError> {
    let (batch, mut early) = (piece.batch.id, Vec::new());
    read_present(scan, batch, &piece.records, &mut |row| {
        if row.signature.is_some() {
            early.push(row.record);
        }
    })?;
    if early.is_empty() {
        return Ok(0);
    }
    match scan.reread(batch)? {
        Some(now) if now.state == BatchState::Signed => check_signed(scan, &now, &piece.records),
        _ => {
            early
                .into_iter()
                .for_each(|record| scan.findings.add(Problem::SignatureTooEarly { record, batch }));
            Ok(0)
        }
    }
}

/// Shows the records that are there, and reports those that are not.
fn read_present(
    scan: &Scan<'_>,
    batch: BatchId,
    records: &Runs,
    visit: &mut dyn FnMut(SignedRow<'_>),
) -> Result<(), StoreError> {
    let missing = |record: RecordId| scan.findings.add(Problem::RecordMissing { record, batch });
    let mut expected = records.iter();
    scan.store.read_signed(records, &mut |row| {
        expected.by_ref().take_while(|id| *id < row.record).for_each(missing);
        visit(row);
    })?;
    expected.for_each(missing);
    Ok(())
}
