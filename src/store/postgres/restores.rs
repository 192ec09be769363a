//! Accepting that the database lacks what was signed.

use diesel::PgConnection;

use super::{
    PostgresStore,
    audit_log::InsertAudit,
    errors::Failure,
    gaps, heals,
    ids::{fill, highest_id, raise_ids, rename_feed},
    ledger,
    migrations::refuse_under_nodes,
    transaction::{Turn, in_turn, run},
};
use crate::{
    anchors::Loss,
    domain::{
        By, RecordId,
        ledger::{Edge, Head, Origin, Restored},
    },
    store::{
        AcceptVerdict, Acceptance, HealVerdict, Healing, Restores, StoreError,
        sql::{
            HighestBatch, Lost, RestoreEntries, begin_incarnation, end_of, highest_record, last_id_after,
            lose, retire_again, row, rows,
        },
    },
};

impl Restores for PostgresStore {
    fn accept(&self, acceptance: Acceptance<'_>, by: &By) -> Result<AcceptVerdict, StoreError> {
        let loss = acceptance.loss;
        // What if we die here? The loss is accepted as a whole, or not at all. Only sequences may have been raised, which
        // leaves out ids.
        run(&self.short, &in_turn(Turn::Audit), |connection| {
            refuse_under_nodes(connection)?;
            gaps::hold(connection)?;
            let mut ledger = ledger::hold(connection)?;
            if (ledger.origin(), ledger.head()) != (loss.origin, loss.kept) {
                return Ok(AcceptVerdict::Changed);
            }
            let now = ledger::now(connection)?;
            begin_incarnation::<InsertAudit, _, Failure>(connection, &mut ledger, acceptance, &now, by)?;
            let used = highest_id(connection)?.max(highest_record(loss));
            let last_id = last_id_after(used)?;
            raise_ids(connection, last_id)?;
            let mut lost = match acceptance.signs_again {
                true => Lost::default(),
                false => lose_all(connection, loss, used)?,
            };
            lost.retired_keys =
                retire_again::<InsertAudit, _, Failure>(connection, &mut ledger, loss, &now, by)?;
            rename_feed(connection)?;
            Ok(lost.accepted(ledger.origin(), RecordId(last_id)))
        })
    }

    fn edge(&self) -> Result<Edge, StoreError> {
        self.query(|connection| Ok(ledger::read(connection)?.edge()))
    }

    fn heal(&self, at: (Origin, Head), part: Healing<'_>, by: &By) -> Result<HealVerdict, StoreError> {
        // What if we die here? The part is there as a whole, or not at all, and the ledger is halted.
        run(&self.short, &in_turn(Turn::Audit), |connection| heals::heal(connection, at, part, by))
    }

    fn end_of(&self, incarnation: Origin) -> Result<Option<Restored>, StoreError> {
        self.query(|connection| Ok(end_of(rows::<RestoreEntries, _, _>(connection, &[])?, incarnation)?))
    }
}

/// Makes batches lost. Ids of batches that were formed once and never signed get a batch of one id behind `used`, which no
/// record ever has. Records that they had are in gaps now, from which they are formed again.
fn lose_all(connection: &mut PgConnection, loss: &Loss, used: i64) -> Result<Lost, Failure> {
    let before = gaps::all(connection)?;
    let highest: i64 = row::<HighestBatch, _, _>(connection, &[])?.unwrap_or_default();
    let mut unused = used;
    let lost: Lost = lose::<_, Failure>(connection, loss, highest, |connection, highest, next| {
        unused = fill(connection, highest, next.id, unused)?;
        Ok(())
    })?;
    gaps::leave(connection, before, loss.batches.iter().map(|batch| &batch.records), (used, unused))?;
    Ok(lost)
}
