//! Accepting that the database lacks what was signed.

use super::{
    SqliteStore,
    audit_log::InsertAudit,
    errors::Failure,
    heals,
    ids::{fill, raise_ids},
    ledger,
    migrations::refuse_living,
    records::now,
};
use crate::{
    domain::{
        By, RecordId,
        ledger::{Edge, Head, Origin, Restored},
    },
    store::{
        AcceptVerdict, Acceptance, HealVerdict, Healing, Restores, StoreError,
        sql::{
            HighestBatch, Lost, RestoreEntries, Sql, begin_incarnation, end_of, execute, highest_record,
            lose, retire_again, row, rows,
        },
    },
};

impl Restores for SqliteStore {
    fn accept(&self, acceptance: Acceptance<'_>, by: &By) -> Result<AcceptVerdict, StoreError> {
        let loss = acceptance.loss;
        // What if we die here? The loss is accepted as a whole, or not at all.
        self.write(|connection| {
            let mut ledger = ledger::read(connection)?;
            if (ledger.origin(), ledger.head()) != (loss.origin, loss.kept) {
                return Ok(AcceptVerdict::Changed);
            }
            refuse_living(connection, &self.path)?;
            let now = now(connection)?;
            begin_incarnation::<InsertAudit, _, Failure>(connection, &mut ledger, acceptance, &now, by)?;
            let highest: i64 = row::<HighestBatch, _, _>(connection, &[])?.unwrap_or_default();
            let mut lost = match acceptance.signs_again {
                true => Lost::default(),
                false => lose(connection, loss, highest, fill)?,
            };
            lost.retired_keys =
                retire_again::<InsertAudit, _, Failure>(connection, &mut ledger, loss, &now, by)?;
            let last_id = raise_ids(connection, highest_record(loss))?;
            execute::<RenameFeed, _>(connection, &[])?;
            Ok(lost.accepted(ledger.origin(), RecordId(last_id)))
        })
    }

    fn edge(&self) -> Result<Edge, StoreError> {
        self.query(|connection| Ok(ledger::read(connection)?.edge()))
    }

    fn heal(&self, at: (Origin, Head), part: Healing<'_>, by: &By) -> Result<HealVerdict, StoreError> {
        // What if we die here? The part is there as a whole, or not at all, and the ledger is halted.
        self.write(|connection| heals::heal(connection, &self.path, at, part, by))
    }

    fn end_of(&self, incarnation: Origin) -> Result<Option<Restored>, StoreError> {
        self.query(|connection| Ok(end_of(rows::<RestoreEntries, _, _>(connection, &[])?, incarnation)?))
    }
}

struct RenameFeed;
impl Sql for RenameFeed {
    const TEXT: &'static str = "UPDATE feed_identity SET id = lower(hex(randomblob(6)))";
    type Columns = ();
}
