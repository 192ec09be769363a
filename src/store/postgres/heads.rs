//! The key of the ledger, and its checkpoints.

use super::PostgresStore;
use crate::store::{
    Heads, SealedLedgerKey, StoreError,
    sql::{AddLedgerKey, LedgerKeyRow, ReplaceLedgerKey, StoreCheckpoint, Value, execute, ledger_key, row},
};

impl Heads for PostgresStore {
    fn ledger_key(&self) -> Result<Option<SealedLedgerKey>, StoreError> {
        self.query(|connection| Ok(ledger_key(row::<LedgerKeyRow, _, _>(connection, &[])?)?))
    }

    fn add_ledger_key(&self, key: &SealedLedgerKey) -> Result<(), StoreError> {
        let values = [Value::Blob(&key.public), Value::Blob(&key.sealed)];
        // What if we die here? The key is there or it is not, and nothing was signed with it.
        self.write(|connection| Ok(execute::<AddLedgerKey, _>(connection, &values).map(drop)?))
    }

    fn replace_ledger_key(&self, before: &[u8], sealed: &[u8]) -> Result<bool, StoreError> {
        let values = [Value::Blob(sealed), Value::Blob(before)];
        // What if we die here? The key opens under the old or the new master key; asking again says which.
        self.write(|connection| Ok(execute::<ReplaceLedgerKey, _>(connection, &values)? == 1))
    }

    fn store_checkpoint(&self, size: u64, note: &str) -> Result<(), StoreError> {
        let values = [Value::Integer(size as i64), Value::Text(note), Value::Integer(size as i64)];
        // What if we die here? The next checkpoint is another one of the same ledger.
        self.write(|connection| Ok(execute::<StoreCheckpoint, _>(connection, &values).map(drop)?))
    }
}
