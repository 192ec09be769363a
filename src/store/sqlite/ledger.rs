//! The ledger.

use super::{SqliteStore, errors::Failure};
use crate::{
    domain::{
        BatchId,
        ledger::{Edge, Hash, Receipt},
        promises::ReceiptFact,
    },
    store::{
        LedgerRow, Ledgers, StoreError,
        sql::{
            Growing, RawLedger, RawReceipt, ReadLedger, ReceiptColumns, RecordsRoots, RootAt, Sql, Value,
            execute, expect_rows, hash, records_roots, row, rows, sql_limit,
        },
    },
};
use diesel::SqliteConnection;

impl Ledgers for SqliteStore {
    fn ledger(&self) -> Result<LedgerRow, StoreError> {
        self.query(|connection| Ok(read(connection)?.into()))
    }

    fn root_at(&self, size: u64) -> Result<Option<Hash>, StoreError> {
        if size == 0 {
            return Ok(Some(Edge::default().root()));
        }
        self.query(|connection| {
            let found: Option<Vec<u8>> = row::<RootAt, _, _>(connection, &[Value::Integer(size as i64)])?;
            Ok(found.and_then(|root| hash(&root)))
        })
    }

    fn receipts(&self, after: u64, limit: usize) -> Result<Vec<ReceiptFact>, StoreError> {
        self.query(|connection| {
            let values = [Value::Integer(after as i64), Value::Integer(sql_limit(limit))];
            let rows: Vec<RawReceipt> = rows::<ReceiptsAfter, _, _>(connection, &values)?;
            Ok(rows.into_iter().map(ReceiptFact::try_from).collect::<Result<_, _>>()?)
        })
    }

    fn records_roots(&self, first: BatchId, last: BatchId) -> Result<Vec<(BatchId, Hash)>, StoreError> {
        self.query(|connection| {
            let values = [Value::Integer(first.0), Value::Integer(last.0)];
            Ok(records_roots(rows::<RecordsRoots, _, _>(connection, &values)?)?)
        })
    }
}

/// The ledger as it is. Nobody can change it before the end of a transaction that writes.
pub(super) fn read(connection: &mut SqliteConnection) -> Result<Growing, Failure> {
    let raw: Option<RawLedger> = row::<ReadLedger, _, _>(connection, &[])?;
    Ok(Growing::from_row(raw)?)
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

struct ReceiptsAfter;
impl Sql for ReceiptsAfter {
    const TEXT: &'static str = "SELECT seq, receipt.batch_id, root, entry, head, batch.runs, batch.epoch, batch.scheme, \
         signing_key.fingerprint, batch.signed_at FROM receipt LEFT JOIN batch ON batch.id = receipt.batch_id \
         LEFT JOIN signing_key ON signing_key.id = batch.key_id WHERE seq > ? ORDER BY seq LIMIT +?";
    type Columns = ReceiptColumns;
}
