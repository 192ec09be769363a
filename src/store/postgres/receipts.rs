//! The receipts, for readers.

use super::{PostgresStore, ledger, time::time};
use crate::{
    domain::{BatchId, ledger::Hash, promises::ReceiptFact},
    store::{
        LedgerRow, Ledgers, StoreError,
        sql::{RawReceipt, ReceiptColumns, RecordsRoots, Sql, Value, records_roots, rows, sql_limit},
    },
};

impl Ledgers for PostgresStore {
    fn ledger(&self) -> Result<LedgerRow, StoreError> {
        self.lookup(|connection| Ok(ledger::read(connection)?.into()))
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
