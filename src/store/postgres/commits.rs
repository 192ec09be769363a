//! Committing signatures, and reading back what became of a commit.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use diesel::{
    ExecuteCopyFromDsl, PgConnection, Queryable, copy_from,
    pg::CopyFormat,
    sql_types::{BigInt, Text},
};

use super::{PostgresStore, array::array, errors::Failure, time::time, transaction::READ_COMMITTED};
use crate::{
    domain::{BatchId, CommitVerdict, Epoch, Holding, Outcome, SignedBatch, fence, ledger::Entry, outcomes},
    store::{
        Committing, StoreError,
        schema::signature,
        sql::{HoldingColumns, RawHolding, Sql, Value, batch_entry, expect_rows, rows},
    },
};

impl Committing for PostgresStore {
    fn connections(&self) -> usize {
        self.short.size()
    }

    fn commit(&self, batches: &[SignedBatch]) -> Result<Vec<CommitVerdict>, StoreError> {
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        // What if we die here? Before the COMMIT no signature is stored; the batches are reclaimed and signed
        // anew, and nobody has seen the first signatures. After it all are stored, and the next read finds the
        // batches signed.
        self.write_in_ledger(READ_COMMITTED, |connection| {
            let sent = batches.iter().map(|batch| batch.lease().batch());
            let (verdicts, standing) = fence(batches, hold(connection, sent)?);
            if standing.is_empty() {
                return Ok((verdicts, Vec::new()));
            }
            Ok((verdicts, store(connection, &standing, None)?))
        })
    }

    /// Waits for the commit in question if the server is still working on it, because that transaction holds
    /// its batches.
    fn outcomes(&self, sent: &[(BatchId, Epoch)]) -> Result<Vec<Outcome>, StoreError> {
        self.write(|connection| {
            let found = hold(connection, sent.iter().map(|(batch, _)| *batch))?;
            Ok(outcomes(sent, &found))
        })
    }
}

/// Stores batches, and returns their entries, in the order in which they were sent. They are signed now, unless it is said when.
pub(super) fn store(
    connection: &mut PgConnection,
    batches: &[&SignedBatch],
    signed_at: Option<&str>,
) -> Result<Vec<Entry>, Failure> {
    store_signatures(connection, batches)?;
    let signed = mark_signed(connection, batches, signed_at)?;
    Ok(entries(batches, &signed)?)
}

/// Who holds each of these batches: from here to the end of the transaction nobody can change that.
fn hold(
    connection: &mut PgConnection,
    batches: impl Iterator<Item = BatchId>,
) -> Result<HashMap<BatchId, Holding>, Failure> {
    let ids = array(batches.map(|batch| batch.0));
    let found: Vec<RawHolding> = rows::<HoldBatches, _, _>(connection, &[Value::Text(&ids)])?;
    Ok(found.into_iter().map(<(BatchId, Holding)>::try_from).collect::<Result<_, _>>()?)
}

/// Stores all signatures with one COPY, because the schema accepts those of a batch only as a whole.
fn store_signatures(connection: &mut PgConnection, batches: &[&SignedBatch]) -> Result<(), Failure> {
    let columns = (signature::record_id, signature::batch_id, signature::value);
    let copied = copy_from(signature::table)
        .from_raw_data(columns, |out: &mut dyn Write| write_rows(out, batches))
        .with_format(CopyFormat::Binary)
        .execute(connection)
        .map_err(|CopyError(error)| error)?;
    let expected = batches.iter().map(|batch| batch.signatures().count()).sum();
    Ok(expect_rows("storing signatures", expected, copied)?)
}

/// Writes the binary format of COPY, as PostgreSQL's manual specifies it: signature, flags, no extension; for
/// each row the number of fields, and each field after its length; in the end, -1.
fn write_rows(out: &mut dyn Write, batches: &[&SignedBatch]) -> Result<(), CopyError> {
    /// What is handed over to libpq at a time.
    const CHUNK: usize = 64 << 10;
    let mut buffer = Vec::with_capacity(2 * CHUNK);
    buffer.extend_from_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    for batch in batches {
        let id = batch.lease().batch().0;
        for (record, signature) in batch.signatures() {
            buffer.extend_from_slice(&3_i16.to_be_bytes());
            for number in [record.0, id] {
                buffer.extend_from_slice(&8_i32.to_be_bytes());
                buffer.extend_from_slice(&number.to_be_bytes());
            }
            buffer.extend_from_slice(&(signature.len() as i32).to_be_bytes());
            buffer.extend_from_slice(signature);
            if buffer.len() >= CHUNK {
                out.write_all(&buffer)?;
                buffer.clear();
            }
        }
    }
    buffer.extend_from_slice(&(-1_i16).to_be_bytes());
    Ok(out.write_all(&buffer)?)
}

/// What can go wrong within a COPY.
#[derive(Debug, thiserror::Error)]
#[error("{0:?}")]
struct CopyError(Failure);

impl From<diesel::result::Error> for CopyError {
    fn from(error: diesel::result::Error) -> Self {
        Self(error.into())
    }
}

impl From<io::Error> for CopyError {
    fn from(error: io::Error) -> Self {
        Self(StoreError::Unavailable(error.to_string()).into())
    }
}

/// Checks the leases once more, although nobody can have changed them within this transaction: this statement
/// keeps the promise, and must not depend on an earlier one.
fn mark_signed(
    connection: &mut PgConnection,
    batches: &[&SignedBatch],
    signed_at: Option<&str>,
) -> Result<Vec<Marked>, Failure> {
    let leases = || batches.iter().map(|batch| batch.lease());
    let arrays = [
        array(leases().map(|lease| lease.batch().0)),
        array(leases().map(|lease| lease.epoch().0)),
        array(leases().map(|lease| lease.node().0)),
        array(leases().map(|lease| lease.key().0)),
        array(leases().map(|lease| lease.records().len())),
    ];
    let [ids, epochs, nodes, keys, counts] = arrays.each_ref().map(|array| Value::Text(array));
    let values = [Value::OptionalText(signed_at), ids, epochs, nodes, keys, counts];
    let signed: Vec<Marked> = rows::<MarkSigned, _, _>(connection, &values)?;
    expect_rows("marking batches as signed", batches.len(), signed.len())?;
    let (waiting, counted) = signed.first().map_or((0, 0), |first| (first.waiting, first.counted));
    expect_rows("noting batches for the feed", batches.len(), waiting as usize)?;
    let signatures = batches.iter().map(|batch| batch.signatures().count()).sum();
    expect_rows("counting signatures of keys", signatures, counted as usize)?;
    Ok(signed)
}

/// The entries of the batches, in the order in which they were sent.
fn entries(batches: &[&SignedBatch], signed: &[Marked]) -> Result<Vec<Entry>, StoreError> {
    let signed: HashMap<_, _> =
        signed.iter().map(|marked| (marked.id, (&*marked.fingerprint, &*marked.signed_at))).collect();
    let entry = |batch: &&SignedBatch| {
        let (fingerprint, signed_at) = signed.get(&batch.lease().batch().0).copied().unwrap_or_default();
        batch_entry(batch, fingerprint, signed_at)
    };
    batches.iter().map(entry).collect()
}

/// A batch that is marked as signed; the sums are those of the statement.
#[derive(Queryable)]
struct Marked {
    id: i64,
    fingerprint: String,
    signed_at: String,
    waiting: i64,
    counted: i64,
}

/// Locks in the order of ids, so that two transactions cannot deadlock.
struct HoldBatches;
impl Sql for HoldBatches {
    const TEXT: &'static str = "SELECT id, state, epoch, node_id FROM batch WHERE id = ANY (?::text::bigint[]) \
         ORDER BY id FOR NO KEY UPDATE";
    type Columns = HoldingColumns;
}

struct MarkSigned;
impl Sql for MarkSigned {
    const TEXT: &'static str = concat!(
        "WITH signed AS (\
             UPDATE batch SET state = 'signed', node_id = NULL, \
             signed_at = coalesce(?::text::timestamptz, clock_timestamp()) \
             FROM unnest(?::text::bigint[], ?::text::bigint[], ?::text::bigint[], ?::text::bigint[], \
                 ?::text::bigint[]) AS sent (id, epoch, node_id, key_id, record_count) \
             WHERE batch.id = sent.id AND batch.state = 'leased' AND batch.epoch = sent.epoch \
             AND batch.node_id = sent.node_id AND batch.key_id = sent.key_id \
             AND batch.record_count = sent.record_count \
             RETURNING batch.id, batch.key_id, batch.record_count, batch.signed_at), \
         waiting AS (INSERT INTO unsequenced (batch_id) SELECT id FROM signed RETURNING batch_id), \
         counted AS (UPDATE signing_key SET signature_count = signature_count + made.signatures \
             FROM (SELECT key_id, sum(record_count)::bigint AS signatures FROM signed GROUP BY key_id) AS made \
             WHERE signing_key.id = made.key_id RETURNING made.signatures) \
         SELECT signed.id, fingerprint, ",
        time!("signed.signed_at"),
        ", (SELECT count(*) FROM waiting), (SELECT coalesce(sum(signatures), 0)::bigint FROM counted) \
         FROM signed JOIN signing_key ON signing_key.id = signed.key_id"
    );
    type Columns = (BigInt, Text, Text, BigInt, BigInt);
}
