//! Pairing open batches with idle keys.

use diesel::{
    query_dsl::methods::LoadQuery,
    result::Error,
    sql_types::{BigInt, Nullable, Text},
};

use super::{
    batches::RawOpen,
    checks::sql_limit,
    statement::{Bound, Sql, Value, rows},
};
use crate::domain::{IdleKey, IdleKeys, KeyId, Lease, NodeId, Scheme};

/// An idle key: its id, how many more signatures its limit allows, and the time at which it may sign.
pub(in crate::store) type RawIdle = (i64, Option<i64>, String);

/// The types of [`RawIdle`].
pub(in crate::store) type IdleColumns = (BigInt, Nullable<BigInt>, Text);

/// The most keys of one statement. It is so low that a sum with the number of keys does not overflow.
const KEYS_AT_MOST: usize = u32::MAX as usize;

/// How many keys without a limit are read for `limit` leases.
pub(in crate::store) fn keys_limit(limit: usize) -> i64 {
    sql_limit(limit.min(KEYS_AT_MOST))
}

/// Keys that were read in the order of use.
pub(in crate::store) fn idle_keys(keys: impl IntoIterator<Item = (i64, Option<i64>)>) -> IdleKeys {
    IdleKeys::in_order(keys.into_iter().map(|(id, left)| IdleKey { id: KeyId(id), left }).collect())
}

/// What all leases of one transaction have in common.
pub(in crate::store) struct Terms {
    pub(in crate::store) node: NodeId,
    pub(in crate::store) scheme: Scheme,
    /// The time at which the limits of the keys were looked at.
    pub(in crate::store) now: String,
    /// The highest place in the order of use so far.
    pub(in crate::store) last_leased: i64,
}

/// Leases up to `limit` batches by the rule of [`IdleKeys`], within a transaction that is under way. `OldestOpen` reads
/// the oldest open batches that have at most so many records, and at most so many batches. `lease` leases batches with
/// keys.
///
/// A batch that was skipped has more records than any key that is left may sign, so the next round does not read it.
/// Where no key has a limit there is one round.
pub(in crate::store) fn lease_in_rounds<OldestOpen, C, E>(
    connection: &mut C,
    mut idle: IdleKeys,
    limit: usize,
    mut lease: impl FnMut(&mut C, Vec<(RawOpen, KeyId)>) -> Result<Vec<Lease>, E>,
) -> Result<Vec<Lease>, E>
where
    OldestOpen: Sql,
    E: From<Error>,
    for<'a> Bound<'a, OldestOpen>: LoadQuery<'a, C, RawOpen>,
{
    let mut leases = Vec::new();
    while leases.len() < limit
        && let Some(most) = idle.most()
    {
        let wanted = idle.count().min(limit - leases.len());
        let values = [Value::Integer(most), Value::Integer(sql_limit(wanted))];
        let batches: Vec<RawOpen> = rows::<OldestOpen, _, _>(connection, &values)?;
        let is_last = batches.len() < wanted;
        let key_for = |batch: RawOpen| idle.take(batch.record_count).map(|key| (batch, key));
        let pairs: Vec<_> = batches.into_iter().filter_map(key_for).collect();
        leases.extend(lease(connection, pairs)?);
        if is_last {
            break;
        }
    }
    Ok(leases)
}
