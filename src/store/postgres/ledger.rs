//! The ledger within a transaction: reading it, adding to it, comparing it.

use data_encoding::HEXLOWER;
use diesel::{
    PgConnection,
    result::Error,
    sql_types::{BigInt, Text},
};

use super::{array::array, errors::Failure, time::time};
use crate::{
    anchors::{Anchors, Past, Permit, mark_of},
    domain::ledger::{BatchSigned, Entry, KeyChange, Origin, Receipt},
    store::{
        StoreError,
        anchored::permit,
        sql::{
            self, Growing, LedgerColumns, RawLedger, RawPast, ReadLedger, ReadPast, Sql, Value, execute,
            expect_rows, insert_entry, key_entry, row, rows,
        },
    },
};

/// The ledger as it is.
pub(super) fn read(connection: &mut PgConnection) -> Result<Growing, Failure> {
    let raw: Option<RawLedger> = row::<ReadLedger, _, _>(connection, &[])?;
    Ok(Growing::from_row(raw)?)
}

/// Shows anchors in this database that the records are here, until the connection ends. See [`mark_of`].
pub(super) fn mark(connection: &mut PgConnection, origin: Origin) -> Result<(), Failure> {
    execute::<Mark, _>(connection, &[Value::Integer(mark_of(origin))])?;
    Ok(())
}

struct Mark;
impl Sql for Mark {
    const TEXT: &'static str = "SELECT pg_advisory_lock_shared(?)";
    type Columns = ();
}

/// What the ledger was at a size.
pub(super) fn past(connection: &mut PgConnection, size: u64) -> Result<Past, Failure> {
    let at = Value::Integer(size as i64);
    let found: Vec<RawPast> = rows::<ReadPast, _, _>(connection, &[at, at])?;
    Ok(sql::past(size, found)?)
}

/// Compares a database with its anchors. If it is not what they say, its ledger is halted, so that other nodes notice it,
/// too.
pub(super) fn compare(connection: &mut PgConnection, anchors: &Anchors) -> Result<(), StoreError> {
    let expected = anchors.expected();
    let compared = read(connection)
        .and_then(|ledger| permit(expected, &ledger, |size| past(connection, size)))
        .map(Permit::saw);
    let result = compared.map_err(StoreError::from);
    if let Err(StoreError::Behind(why)) = &result {
        halt(connection, why, anchors.reach());
    }
    result
}

/// Halts the ledger. See [`sql::halt`].
pub(super) fn halt(connection: &mut PgConnection, why: &str, anchored: Option<u64>) {
    if let Err(error) = sql::halt::<_, Error>(connection, why, anchored) {
        log::warn!("the ledger could not be halted: {error}");
    }
}

/// Waits until no other transaction adds to the ledger. From here to the end of the transaction no other can.
pub(super) fn hold(connection: &mut PgConnection) -> Result<Growing, Failure> {
    let raw: Option<RawLedger> = row::<HoldLedger, _, _>(connection, &[])?;
    Ok(Growing::from_row(raw)?)
}

/// The entry of a key.
pub(super) fn entry_of_key(
    connection: &mut PgConnection,
    change: KeyChange,
    fingerprint: &str,
) -> Result<Entry, Failure> {
    Ok(key_entry(change, fingerprint, &now(connection)?)?)
}

/// The time, as entries have it.
pub(super) fn now(connection: &mut PgConnection) -> Result<String, Failure> {
    Ok(row::<Now, _, _>(connection, &[])?.unwrap_or_default())
}

/// Stores what was added, and how far the ledger is now.
pub(super) fn store(connection: &mut PgConnection, ledger: &Growing) -> Result<(), Failure> {
    let batches: Vec<_> = ledger.added().iter().filter_map(of_batch).collect();
    let arrays = [
        array(batches.iter().map(|(receipt, _)| receipt.seq())),
        array(batches.iter().map(|(_, batch)| batch.batch)),
        array(batches.iter().map(|(_, batch)| HEXLOWER.encode(&batch.root.0))),
        array(batches.iter().map(|(receipt, _)| HEXLOWER.encode(&receipt.head().root.0))),
    ];
    let (size, edge) = ledger.columns();
    let [seqs, ids, roots, heads] = arrays.each_ref().map(|array| Value::Text(array));
    let values = [Value::Integer(size), Value::Blob(&edge), seqs, ids, roots, heads];
    let (ends, stored): (i64, i64) = row::<StoreReceipts, _, _>(connection, &values)?.unwrap_or_default();
    expect_rows("storing the end of the ledger", 1, ends as usize)?;
    expect_rows("storing receipts", batches.len(), stored as usize)?;
    let mut others = ledger.added().iter().filter(|receipt| of_batch(receipt).is_none());
    others.try_for_each(|receipt| insert_entry(connection, receipt))
}

fn of_batch(receipt: &Receipt) -> Option<(&Receipt, &BatchSigned)> {
    match receipt.entry() {
        Entry::Batch(batch) => Some((receipt, batch)),
        _ => None,
    }
}

struct Now;
impl Sql for Now {
    const TEXT: &'static str = concat!("SELECT ", time!("clock_timestamp()"));
    type Columns = Text;
}

struct HoldLedger;
impl Sql for HoldLedger {
    const TEXT: &'static str = "SELECT id, incarnation, size, edge, halted, halted_size, public_key, checkpoint_size, checkpoint FROM ledger FOR NO KEY UPDATE";
    type Columns = LedgerColumns;
}

struct StoreReceipts;
impl Sql for StoreReceipts {
    const TEXT: &'static str = "WITH ended AS (UPDATE ledger SET size = ?, edge = ? RETURNING size), \
         stored AS (INSERT INTO receipt (seq, batch_id, root, head) \
             SELECT seq, batch_id, decode(root, 'hex'), decode(head, 'hex') \
             FROM unnest(?::text::bigint[], ?::text::bigint[], ?::text::text[], ?::text::text[]) \
                 AS added (seq, batch_id, root, head) RETURNING seq) \
         SELECT (SELECT count(*) FROM ended), (SELECT count(*) FROM stored)";
    type Columns = (BigInt, BigInt);
}
