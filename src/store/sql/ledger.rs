//! The ledger: its rows, and growing it within a transaction.

use diesel::{
    Connection, Queryable,
    query_dsl::methods::ExecuteDsl,
    result::Error,
    sql_types::{BigInt, Binary, Nullable, Text},
};

use super::{
    batches::runs,
    checks::expect_rows,
    statement::{Bound, Sql, Value, execute},
};
use crate::{
    anchors::{Loss, Past},
    domain::{
        BatchId, Epoch, Fingerprint, Runs, Scheme, SignedBatch, Time,
        ledger::{
            BatchSigned, Edge, Entry, Hash, Head, KeyChange, KeyChanged, LedgerId, Origin, Receipt, Restored,
        },
        promises::ReceiptFact,
    },
    store::{Acceptance, LedgerRow, SealedLedgerKey, StoreError},
};

/// The columns of [`RawLedger`].
pub(in crate::store) type LedgerColumns = (
    Text,
    BigInt,
    BigInt,
    Binary,
    Nullable<Text>,
    Nullable<BigInt>,
    Nullable<Binary>,
    Nullable<BigInt>,
    Nullable<Text>,
);

/// The row of `ledger`.
#[derive(Queryable)]
pub(in crate::store) struct RawLedger {
    id: String,
    incarnation: i64,
    size: i64,
    edge: Vec<u8>,
    halted: Option<String>,
    halted_size: Option<i64>,
    public_key: Option<Vec<u8>>,
    checkpoint_size: Option<i64>,
    checkpoint: Option<String>,
}

/// The ledger as a transaction finds it, with what it adds.
pub(in crate::store) struct Growing {
    origin: Origin,
    edge: Edge,
    halted: Option<String>,
    halted_size: Option<u64>,
    public_key: Option<[u8; 32]>,
    checkpoint: Option<(u64, String)>,
    added: Vec<Receipt>,
}

impl Growing {
    /// From the only row of `ledger`.
    pub(in crate::store) fn from_row(raw: Option<RawLedger>) -> Result<Self, StoreError> {
        let read = |raw: RawLedger| {
            let id: LedgerId = raw.id.parse().ok()?;
            let incarnation = u32::try_from(raw.incarnation).ok()?.try_into().ok()?;
            let edge = Edge::from_parts(u64::try_from(raw.size).ok()?, &raw.edge).ok()?;
            let size = raw.checkpoint_size.map(|size| size as u64);
            Some(Self {
                origin: Origin { id, incarnation },
                edge,
                halted: raw.halted,
                halted_size: raw.halted_size.map(|size| size as u64),
                public_key: raw.public_key.and_then(|key| key.try_into().ok()),
                checkpoint: size.zip(raw.checkpoint),
                added: Vec::new(),
            })
        };
        raw.and_then(read)
            .ok_or_else(|| StoreError::Corrupt("table ledger does not have one row with an edge".to_owned()))
    }

    /// Adds an entry.
    pub(in crate::store) fn add(&mut self, entry: Entry) -> &Receipt {
        self.added.push(Receipt::new(&mut self.edge, entry));
        &self.added[self.added.len() - 1]
    }

    /// Begins the next incarnation with the entry of a restore.
    pub(in crate::store) fn restore(
        &mut self,
        acceptance: Acceptance<'_>,
        batches: Head,
        now: &str,
    ) -> Result<(), StoreError> {
        let corrupt = |what: &str| StoreError::Corrupt(what.to_owned());
        let Loss { origin, kept, size, .. } = acceptance.loss;
        self.origin = origin.next().ok_or_else(|| corrupt("the ledger has no other incarnation"))?;
        self.add(Entry::Restore(Restored {
            from: *origin,
            kept: kept.size,
            root: kept.root,
            lost: *size,
            batches,
            at: now.parse().map_err(|_| corrupt("the clock of the database shows no time"))?,
            reason: acceptance.reason.clone(),
        }));
        Ok(())
    }

    /// What was added, in order.
    pub(in crate::store) fn added(&self) -> &[Receipt] {
        &self.added
    }

    /// How far it is, with what was added.
    pub(in crate::store) fn head(&self) -> Head {
        self.edge.head()
    }

    /// All that is needed to append to it.
    pub(in crate::store) fn edge(&self) -> Edge {
        self.edge.clone()
    }

    /// Which ledger it is.
    pub(in crate::store) fn origin(&self) -> Origin {
        self.origin
    }

    /// Why nothing may be added.
    pub(in crate::store) fn halted(&self) -> Option<&str> {
        self.halted.as_deref()
    }

    /// How many entries were committed, as the anchors know that halted it.
    pub(in crate::store) fn halted_size(&self) -> Option<u64> {
        self.halted_size
    }

    /// The size and the edge that are to be stored.
    pub(in crate::store) fn columns(&self) -> (i64, Vec<u8>) {
        (self.edge.size() as i64, self.edge.bytes())
    }
}

impl From<Growing> for LedgerRow {
    fn from(ledger: Growing) -> Self {
        let Growing { origin, edge, halted, halted_size, public_key, checkpoint, .. } = ledger;
        Self { origin, head: edge.head(), halted, halted_size, public_key, checkpoint }
    }
}

/// The entry of a batch.
pub(in crate::store) fn batch_entry(
    batch: &SignedBatch,
    fingerprint: &str,
    signed_at: &str,
) -> Result<Entry, StoreError> {
    let lease = batch.lease();
    let facts = Facts {
        records: lease.records().clone(),
        epoch: lease.epoch(),
        scheme: Some(lease.scheme()),
        fingerprint: fingerprint.parse().ok(),
        signed_at: signed_at.parse().ok(),
    };
    let entry = facts.entry(lease.batch(), batch.root());
    entry.ok_or_else(|| StoreError::Corrupt(format!("batch {} cannot have an entry", lease.batch())))
}

/// The entry of a key that is added or retired.
pub(in crate::store) fn key_entry(
    change: KeyChange,
    fingerprint: &str,
    at: &str,
) -> Result<Entry, StoreError> {
    let entry = |fingerprint, at| Entry::Key(KeyChanged { change, fingerprint, at });
    let parts = fingerprint.parse().ok().zip(at.parse().ok());
    parts
        .map(|(fingerprint, at)| entry(fingerprint, at))
        .ok_or_else(|| StoreError::Corrupt(format!("key {fingerprint} cannot have an entry")))
}

/// What the entry of a batch is made of, as far as it is stored.
struct Facts {
    records: Runs,
    epoch: Epoch,
    scheme: Option<Scheme>,
    fingerprint: Option<Fingerprint>,
    signed_at: Option<Time>,
}

impl Facts {
    fn entry(self, batch: BatchId, root: Hash) -> Option<Entry> {
        Some(Entry::Batch(BatchSigned {
            batch,
            records: self.records,
            epoch: self.epoch,
            scheme: self.scheme?,
            fingerprint: self.fingerprint?,
            signed_at: self.signed_at?,
            root,
        }))
    }
}

/// The columns of [`RawReceipt`].
pub(in crate::store) type ReceiptColumns = (
    BigInt,
    Nullable<BigInt>,
    Nullable<Binary>,
    Nullable<Text>,
    Binary,
    Nullable<Text>,
    Nullable<BigInt>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
);

/// A receipt with what makes its entry.
#[derive(Queryable)]
pub(in crate::store) struct RawReceipt {
    seq: i64,
    batch: Option<i64>,
    root: Option<Vec<u8>>,
    entry: Option<String>,
    head: Vec<u8>,
    runs: Option<String>,
    epoch: Option<i64>,
    scheme: Option<String>,
    fingerprint: Option<String>,
    signed_at: Option<String>,
}

impl TryFrom<RawReceipt> for ReceiptFact {
    type Error = StoreError;

    fn try_from(raw: RawReceipt) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt(format!("receipt {} cannot be read", raw.seq));
        let seq = u64::try_from(raw.seq).map_err(|_| corrupt())?;
        let head = hash(&raw.head).ok_or_else(corrupt)?;
        let batch = raw.batch.map(BatchId);
        let entry = match (batch, raw.root) {
            (Some(batch), Some(root)) => {
                let facts = Facts {
                    records: raw.runs.map(|text| runs(batch.0, &text)).transpose()?.unwrap_or_default(),
                    epoch: Epoch(raw.epoch.unwrap_or_default()),
                    scheme: raw.scheme.and_then(|name| name.parse().ok()),
                    fingerprint: raw.fingerprint.and_then(|text| text.parse().ok()),
                    signed_at: raw.signed_at.and_then(|text| text.parse().ok()),
                };
                hash(&root).and_then(|root| facts.entry(batch, root))
            }
            _ => raw.entry.and_then(|text| text.parse().ok()),
        };
        Ok(Self { seq, batch, entry, root: head })
    }
}

/// The hash that is stored as these bytes.
pub(in crate::store) fn hash(bytes: &[u8]) -> Option<Hash> {
    bytes.try_into().ok().map(Hash)
}

/// Converts rows of batches and their roots.
pub(in crate::store) fn records_roots(rows: Vec<(i64, Vec<u8>)>) -> Result<Vec<(BatchId, Hash)>, StoreError> {
    let convert = |(batch, root): (i64, Vec<u8>)| {
        let root = hash(&root).ok_or_else(|| StoreError::Corrupt(format!("the receipt of batch {batch}")))?;
        Ok((BatchId(batch), root))
    };
    rows.into_iter().map(convert).collect()
}

/// The ledger as it is.
pub(in crate::store) struct ReadLedger;
impl Sql for ReadLedger {
    const TEXT: &'static str = "SELECT id, incarnation, size, edge, halted, halted_size, public_key, checkpoint_size, checkpoint FROM ledger";
    type Columns = LedgerColumns;
}

/// The key of the ledger.
pub(in crate::store) struct LedgerKeyRow;
impl Sql for LedgerKeyRow {
    const TEXT: &'static str = "SELECT public_key, sealed_key FROM ledger WHERE public_key IS NOT NULL";
    type Columns = (Binary, Binary);
}

/// Converts the row of [`LedgerKeyRow`].
pub(in crate::store) fn ledger_key(
    row: Option<(Vec<u8>, Vec<u8>)>,
) -> Result<Option<SealedLedgerKey>, StoreError> {
    let convert = |(public, sealed): (Vec<u8>, Vec<u8>)| {
        let public = public.try_into().ok()?;
        Some(SealedLedgerKey { public, sealed })
    };
    let corrupt = || StoreError::Corrupt("the key of the ledger cannot be read".to_owned());
    row.map(|row| convert(row).ok_or_else(corrupt)).transpose()
}

/// Stores the key of the ledger, unless there is one.
pub(in crate::store) struct AddLedgerKey;
impl Sql for AddLedgerKey {
    const TEXT: &'static str = "UPDATE ledger SET public_key = ?, sealed_key = ? WHERE public_key IS NULL";
    type Columns = ();
}

/// Replaces the private half.
pub(in crate::store) struct ReplaceLedgerKey;
impl Sql for ReplaceLedgerKey {
    const TEXT: &'static str = "UPDATE ledger SET sealed_key = ? WHERE sealed_key = ?";
    type Columns = ();
}

/// Stores a checkpoint, its size given twice.
pub(in crate::store) struct StoreCheckpoint;
impl Sql for StoreCheckpoint {
    const TEXT: &'static str = "UPDATE ledger SET checkpoint_size = ?, checkpoint = ? \
         WHERE checkpoint_size IS NULL OR checkpoint_size < ?";
    type Columns = ();
}

/// Halts the ledger for anchors which know that `anchored` entries were committed. If it is halted, it may get to know of more.
pub(in crate::store) fn halt<C, E>(connection: &mut C, why: &str, anchored: Option<u64>) -> Result<(), E>
where
    C: Connection,
    E: From<Error>,
    for<'a> Bound<'a, Halt>: ExecuteDsl<C>,
{
    let size = Value::OptionalInteger(anchored.map(|size| size as i64));
    execute::<Halt, _>(connection, &[Value::Text(why), size, size])?;
    Ok(())
}

/// See [`halt`].
pub(in crate::store) struct Halt;
impl Sql for Halt {
    const TEXT: &'static str = "UPDATE ledger SET halted = coalesce(halted, ?), halted_size = ? \
         WHERE halted IS NULL OR coalesce(halted_size, 0) < ?";
    type Columns = ();
}

/// Stores the receipt of anything but a batch.
pub(in crate::store) fn insert_entry<C, E>(connection: &mut C, receipt: &Receipt) -> Result<(), E>
where
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, InsertEntry>: ExecuteDsl<C>,
{
    let (entry, head) = (receipt.entry().to_string(), receipt.head().root);
    let values = [Value::Integer(receipt.seq() as i64), Value::Text(&entry), Value::Blob(&head.0)];
    Ok(expect_rows("storing a receipt", 1, execute::<InsertEntry, _>(connection, &values)?)?)
}

/// See [`insert_entry`].
pub(in crate::store) struct InsertEntry;
impl Sql for InsertEntry {
    const TEXT: &'static str = "INSERT INTO receipt (seq, entry, head) VALUES (?, ?, ?)";
    type Columns = ();
}

/// Converts the rows of [`ReadPast`].
pub(in crate::store) fn past(size: u64, rows: Vec<RawPast>) -> Result<Past, StoreError> {
    let mut past = Past::default();
    for (seq, head, entry) in rows {
        let seq = seq as u64;
        if seq == size {
            past.root = hash(&head);
            continue;
        }
        let entry = entry.and_then(|text| text.parse().ok());
        let entry = entry.ok_or_else(|| StoreError::Corrupt(format!("receipt {seq} cannot be read")))?;
        past.others.push((seq, entry));
    }
    Ok(past)
}

/// The sequence number of a receipt, its head, and its entry.
pub(in crate::store) type RawPast = (i64, Vec<u8>, Option<String>);

/// The receipt at a size, and those behind it that are of no batch. The size is given twice.
pub(in crate::store) struct ReadPast;
impl Sql for ReadPast {
    const TEXT: &'static str = "SELECT seq, head, entry FROM receipt WHERE seq = ? \
         UNION ALL SELECT seq, head, entry FROM receipt WHERE seq > ? AND entry IS NOT NULL ORDER BY 1";
    type Columns = (BigInt, Binary, Nullable<Text>);
}

/// The records roots of batches.
pub(in crate::store) struct RecordsRoots;
impl Sql for RecordsRoots {
    const TEXT: &'static str = "SELECT batch_id, root FROM receipt WHERE batch_id BETWEEN ? AND ? AND root IS NOT NULL ORDER BY batch_id";
    type Columns = (BigInt, Binary);
}
