//! Checks the records of a batch, each with its signature. Most of the time of a check is spent here.

use std::sync::Arc;

use super::{Problem, group::Group, scan::Scan};
use crate::{
    domain::{
        BatchState, Runs,
        promises::{Breach, Checked, Records},
    },
    store::{BatchRow, StoreError},
};

/// Some of the records of one batch.
pub(super) struct Piece {
    pub(super) batch: Arc<BatchRow>,
    pub(super) records: Runs,
}

/// Checks the records of a piece; returns how many signatures verified.
pub(super) fn check_piece(scan: &Scan<'_>, piece: &Piece) -> Result<u64, StoreError> {
    match check_as_now(scan, &piece.batch, &piece.records) {
        Err(StoreError::Corrupt(reason)) => {
            let what = format!("a record of batch {}", piece.batch.id);
            scan.findings.add(Problem::Unreadable { what, reason });
            Ok(0)
        }
        Err(error) => Err(error),
        Ok(checked) => {
            checked.breaches.into_iter().for_each(|breach| scan.findings.add(breach));
            Ok(checked.verified)
        }
    }
}

/// Signatures that seem too early may belong to a commit that signed the batch after its row was read. The row is
/// then read again, and the check repeated.
fn check_as_now(scan: &Scan<'_>, batch: &BatchRow, records: &Runs) -> Result<Checked, StoreError> {
    let checked = check(scan, batch, records)?;
    if batch.state != BatchState::Signed
        && !checked.breaches.is_empty()
        && let Some(now) = scan.reread(batch.id)?.filter(|now| now.state == BatchState::Signed)
    {
        return check(scan, &now, records);
    }
    Ok(checked)
}

fn check(scan: &Scan<'_>, batch: &BatchRow, records: &Runs) -> Result<Checked, StoreError> {
    let key = match (batch.state, batch.key.zip(batch.scheme)) {
        (BatchState::Open | BatchState::Leased, _) => None,
        // A row without key or scheme has already been reported.
        (BatchState::Signed, None) => return Ok(Checked::default()),
        (BatchState::Signed, Some((key, scheme))) => match scan.keys.key(key)? {
            Some(found) => Some((found, scheme)),
            None => {
                // The missing key is reported once for the batch, not for each of its pieces.
                let is_first = records.first() == batch.records.first();
                let breaches = is_first.then_some(Breach::NoKey { batch: batch.id, key });
                return Ok(Checked { verified: 0, breaches: breaches.into_iter().collect() });
            }
        },
    };
    let mut checked = Records::new(batch, records);
    // A batch that is not signed has no key, and its records must have no signatures.
    let mut group = Group::new(key.as_ref().map(|(key, scheme)| (&**key, *scheme)));
    let read = scan.store.read_signed(records, &mut |row| group.add(row, &mut checked));
    group.judge(&mut checked);
    if let Err(error) = read {
        checked.abandon().breaches.into_iter().for_each(|breach| scan.findings.add(breach));
        return Err(error);
    }
    Ok(checked.end())
}
