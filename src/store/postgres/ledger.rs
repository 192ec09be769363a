//! The ledger.

use data_encoding::HEXLOWER;
use diesel::{PgConnection, sql_types::BigInt};

use super::{PostgresStore, array::array, errors::Failure, time::time};
use crate::{
    domain::{
        BatchId,
        ledger::{Edge, Entry, Hash, Receipt},
        promises::ReceiptFact,
    },
    store::{
        LedgerRow, Ledgers, StoreError,
        sql::{
            Growing, LedgerColumns, RawLedger, RawReceipt, ReadLedger, ReceiptColumns, RecordsRoots, RootAt,
            Sql, Value, expect_rows, hash, records_roots, row, rows, sql_limit,
        },
    },
};

impl Ledgers for PostgresStore {
    fn ledger(&self) -> Result<LedgerRow, StoreError> {
        self.lookup(|connection| {
            let raw: Option<RawLedger> = row::<ReadLedger, _, _>(connection, &[])?;
            Ok(Growing::from_row(raw)?.into())
        })
    }

    fn root_at(&self, size: u64) -> Result<Option<Hash>, StoreError> {
        if size == 0 {
            return Ok(Some(Edge::default().root()));
        }
        self.lookup(|connection| {
            let found: Option<Vec<u8>> = row::<RootAt, _, _>(connection, &[Value::Integer(size as i64)])?;
            Ok(found.and_then(|root| hash(&root)))
        })
    }

    fn receipts(&self, after: u64, limit: usize) -> Result<Vec<ReceiptFact>, StoreError> {
        self.long_query(|connection| {
            let values = [Value::Integer(after as i64), Value::Integer(sql_limit(limit))];
            let rows: Vec<RawReceipt> = rows::<ReceiptsAfter, _, _>(connection, &values)?;
            Ok(rows.into_iter().map(ReceiptFact::try_from).collect::<Result<_, _>>()?)
        })
    }

    fn records_roots(&self, first: BatchId, last: BatchId) -> Result<Vec<(BatchId, Hash)>, StoreError> {
        self.long_query(|connection| {
            let values = [Value::Integer(first.0), Value::Integer(last.0)];
            Ok(records_roots(rows::<RecordsRoots, _, _>(connection, &values)?)?)
        })
    }
}

/// Waits until no other transaction adds to the ledger. From here to the end of the transaction no other can.
pub(super) fn hold(connection: &mut PgConnection) -> Result<Growing, Failure> {
    let raw: Option<RawLedger> = row::<HoldLedger, _, _>(connection, &[])?;
    Ok(Growing::from_row(raw)?)
}

/// Stores what was added, and how far the ledger is now.
pub(super) fn store(connection: &mut PgConnection, ledger: &Growing) -> Result<(), Failure> {
    let receipts = ledger.added();
    let null = || "NULL".to_owned();
    let batch = |receipt: &Receipt| match receipt.entry() {
        Entry::Batch(batch) => (batch.batch.0.to_string(), HEXLOWER.encode(&batch.root.0)),
        _ => (null(), null()),
    };
    let (batches, roots): (Vec<_>, Vec<_>) = receipts.iter().map(batch).unzip();
    let arrays = [
        array(receipts.iter().map(Receipt::seq)),
        array(batches),
        array(roots),
        array(receipts.iter().map(|receipt| HEXLOWER.encode(&receipt.head().root.0))),
    ];
    let (size, edge) = ledger.columns();
    let [seqs, batches, roots, heads] = arrays.each_ref().map(|array| Value::Text(array));
    let values = [Value::Integer(size), Value::Blob(&edge), seqs, batches, roots, heads];
    let (ends, stored): (i64, i64) = row::<StoreReceipts, _, _>(connection, &values)?.unwrap_or_default();
    expect_rows("storing the end of the ledger", 1, ends as usize)?;
    Ok(expect_rows("storing receipts", receipts.len(), stored as usize)?)
}

struct HoldLedger;
impl Sql for HoldLedger {
    const TEXT: &'static str = "SELECT id, incarnation, size, edge, halted FROM ledger FOR NO KEY UPDATE";
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

struct ReceiptsAfter;
impl Sql for ReceiptsAfter {
    const TEXT: &'static str = concat!(
        "SELECT seq, receipt.batch_id, root, entry, head, batch.runs, batch.epoch, batch.scheme, \
         signing_key.fingerprint, ",
        time!("batch.signed_at"),
        " FROM receipt LEFT JOIN batch ON batch.id = receipt.batch_id \
         LEFT JOIN signing_key ON signing_key.id = batch.key_id WHERE seq > ? ORDER BY seq LIMIT ?"
    );
    type Columns = ReceiptColumns;
}
