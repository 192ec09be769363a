//! The ledger within a transaction: reading it, adding to it, comparing it.

use super::{errors::Failure, records::now};
use crate::{
    anchors::Past,
    domain::{
        BatchId,
        ledger::{Hash, KeyChange, Receipt},
    },
    store::sql::{
        self, Growing, RawLedger, RawPast, ReadLedger, ReadPast, Sql, Value, execute, expect_rows,
        insert_entry, key_entry, row, rows,
    },
};
use diesel::SqliteConnection;

/// The ledger as it is. Until the end of a transaction that writes, no other can change it.
pub(super) fn read(connection: &mut SqliteConnection) -> Result<Growing, Failure> {
    let raw: Option<RawLedger> = row::<ReadLedger, _, _>(connection, &[])?;
    Ok(Growing::from_row(raw)?)
}

/// What the ledger was at a size.
pub(super) fn past(connection: &mut SqliteConnection, size: u64) -> Result<Past, Failure> {
    let at = Value::Integer(size as i64);
    let found: Vec<RawPast> = rows::<ReadPast, _, _>(connection, &[at, at])?;
    Ok(sql::past(size, found)?)
}

/// Stores the receipt of a batch.
pub(super) fn store_batch(
    connection: &mut SqliteConnection,
    batch: BatchId,
    root: Hash,
    receipt: &Receipt,
) -> Result<(), Failure> {
    let head = receipt.head().root;
    let values = [
        Value::Integer(receipt.seq() as i64),
        Value::Integer(batch.0),
        Value::Blob(&root.0),
        Value::Blob(&head.0),
    ];
    Ok(expect_rows("storing a receipt", 1, execute::<InsertReceipt, _>(connection, &values)?)?)
}

/// Adds the entry of a key.
pub(super) fn add_key(
    connection: &mut SqliteConnection,
    ledger: &mut Growing,
    change: KeyChange,
    fingerprint: &str,
) -> Result<(), Failure> {
    let now = now(connection)?;
    insert_entry(connection, ledger.add(key_entry(change, fingerprint, &now)?))
}

/// Stores how far the ledger is now.
pub(super) fn store_end(connection: &mut SqliteConnection, ledger: &Growing) -> Result<(), Failure> {
    let (size, edge) = ledger.columns();
    let values = [Value::Integer(size), Value::Blob(&edge)];
    Ok(expect_rows("storing the end of the ledger", 1, execute::<StoreEnd, _>(connection, &values)?)?)
}

struct InsertReceipt;
impl Sql for InsertReceipt {
    const TEXT: &'static str = "INSERT INTO receipt (seq, batch_id, root, head) VALUES (?, ?, ?, ?)";
    type Columns = ();
}

struct StoreEnd;
impl Sql for StoreEnd {
    const TEXT: &'static str = "UPDATE ledger SET size = ?, edge = ?";
    type Columns = ();
}
