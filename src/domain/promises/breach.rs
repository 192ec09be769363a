//! Every way in which a promise can be broken, with its evidence.

use crate::domain::{BatchId, Epoch, KeyId, Place, RecordId};

/// One broken promise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Breach {
    /// One key is in use for two batches at once.
    #[error("key {key} is leased to batch {first} and to batch {second} at once")]
    KeyLeasedTwice {
        /// The key.
        key: KeyId,
        /// One batch.
        first: BatchId,
        /// The lease number that it had.
        epoch: Epoch,
        /// The other.
        second: BatchId,
    },
    /// A key's counter differs from the sum over its batches.
    #[error("key {key}: it counts {stored} signatures, but its signed batches have {expected}")]
    WrongSignatureCount {
        /// The key.
        key: KeyId,
        /// What the row says.
        stored: i64,
        /// The sum over its batches.
        expected: u64,
    },
    /// A key has more signatures than its limit allows.
    #[error("key {key}: it has {stored} signatures, but its limit is {limit}")]
    TooManySignatures {
        /// The key.
        key: KeyId,
        /// How many are stored.
        stored: i64,
        /// How many are allowed.
        limit: i64,
    },
    /// The first record, last record or number of records differs from the runs in the row, or there is no record.
    #[error("batch {batch}: its first record, last record or count differ from its runs")]
    WrongSpan {
        /// The batch.
        batch: BatchId,
    },
    /// A batch names more records than a batch can have. Its records were not checked.
    #[error("batch {batch}: it names {records} records, more than a batch can have")]
    TooManyRecords {
        /// The batch.
        batch: BatchId,
        /// How many it names.
        records: u64,
    },
    /// A column is set, or is not set, in contradiction to the state of the batch.
    #[error("batch {batch}: it is {state}, yet {what}")]
    WrongState {
        /// The batch.
        batch: BatchId,
        /// The state it is in.
        state: &'static str,
        /// What contradicts the state.
        what: &'static str,
    },
    /// Each lease raises the epoch by one, and so does each end of a lease without a commit. The epoch is therefore
    /// even while a batch is open, and odd while it is leased or signed.
    #[error(
        "batch {batch}: it is {state} at epoch {epoch}, but the epoch of an open batch is even, and that of any other is odd"
    )]
    WrongEpoch {
        /// The batch.
        batch: BatchId,
        /// The state it is in.
        state: &'static str,
        /// Its epoch.
        epoch: Epoch,
    },
    /// The epoch of a batch is lower than it was.
    #[error("batch {batch}: its epoch fell from {before} to {now}")]
    EpochFell {
        /// The batch.
        batch: BatchId,
        /// What it was.
        before: Epoch,
        /// What it is.
        now: Epoch,
    },
    /// A lease began, ended or changed hands, but the epoch is the same.
    #[error("batch {batch}: its lease changed, but its epoch is {epoch} as before")]
    EpochNotRaised {
        /// The batch.
        batch: BatchId,
        /// Its epoch, before and after.
        epoch: Epoch,
    },
    /// A batch has changed after it was signed.
    #[error("batch {batch}: it was signed, and has changed since")]
    SignedBatchChanged {
        /// The batch.
        batch: BatchId,
    },
    /// The records of a batch have changed since it was formed.
    #[error("batch {batch}: its records have changed")]
    RecordsChanged {
        /// The batch.
        batch: BatchId,
    },
    /// A batch no longer exists.
    #[error("batch {batch}: it is gone")]
    BatchGone {
        /// The batch.
        batch: BatchId,
    },
    /// A record is in two batches, so that two keys could sign it.
    #[error("record {record}: it is in batch {batch} and in an earlier batch")]
    InTwoBatches {
        /// The record.
        record: RecordId,
        /// The later of the two.
        batch: BatchId,
    },
    /// A signed batch whose key is missing or refused.
    #[error("batch {batch}: key {key} is missing or refused, so its signatures cannot be checked")]
    NoKey {
        /// The batch.
        batch: BatchId,
        /// The key that it names.
        key: KeyId,
    },
    /// A record is in no batch, and nothing will ever put it into one.
    #[error("record {record}: it is in no batch, and does not wait for one")]
    Lost {
        /// The record.
        record: RecordId,
    },
    /// A record waits for a batch although it is already in one.
    #[error("record {record}: it is in a batch, yet waits for one")]
    WaitsInBatch {
        /// The record.
        record: RecordId,
    },
    /// A batch names a record that does not exist.
    #[error("record {record}: it is gone, though batch {batch} names it")]
    RecordMissing {
        /// The record.
        record: RecordId,
        /// The batch.
        batch: BatchId,
    },
    /// A record of a signed batch has no signature.
    #[error("record {record}: it has no signature, though batch {batch} is signed")]
    SignatureMissing {
        /// The record.
        record: RecordId,
        /// The batch.
        batch: BatchId,
    },
    /// A record has a signature before its batch is signed.
    #[error("record {record}: it has a signature, though batch {batch} is not signed")]
    SignatureTooEarly {
        /// The record.
        record: RecordId,
        /// The batch.
        batch: BatchId,
    },
    /// A record has a signature although it is in a batch that was signed and lost.
    #[error(
        "record {record}: it has a signature, though it was signed before, in batch {batch}, which was lost"
    )]
    LostRecordSigned {
        /// The record.
        record: RecordId,
        /// The batch.
        batch: BatchId,
    },
    /// A record has a signature although it is in no batch.
    #[error("record {record}: it has a signature of batch {named}, but is in no batch")]
    SignatureWithoutBatch {
        /// The record.
        record: RecordId,
        /// The batch that the signature names.
        named: BatchId,
    },
    /// A record has more than one signature.
    #[error("record {record}: it has two signatures")]
    TwoSignatures {
        /// The record.
        record: RecordId,
    },
    /// A signature names another batch than the one that its record is in.
    #[error("record {record}: its signature names batch {named}, but it is in batch {batch}")]
    WrongBatch {
        /// The record.
        record: RecordId,
        /// The batch that it is in.
        batch: BatchId,
        /// The batch that the signature names.
        named: BatchId,
    },
    /// A signature is not as long as the key's modulus.
    #[error("record {record}: its signature has {found} bytes, but those of key {key} have {expected}")]
    WrongLength {
        /// The record.
        record: RecordId,
        /// The key.
        key: KeyId,
        /// Length of the modulus.
        expected: usize,
        /// Length of the signature.
        found: usize,
    },
    /// A signature is not valid for this payload and this key.
    #[error("record {record}: its signature does not verify with key {key} of batch {batch}")]
    DoesNotVerify {
        /// The record.
        record: RecordId,
        /// The batch.
        batch: BatchId,
        /// The key.
        key: KeyId,
    },
    /// A client was shown a signature that differs from the stored one, or from what another client was shown.
    #[error("record {record}: a client was shown a signature that is not the stored one")]
    ShownOtherwise {
        /// The record.
        record: RecordId,
    },
    /// A position of the feed is missing.
    #[error("feed: position {place} comes after position {before}")]
    FeedHasGap {
        /// The position before the gap.
        before: Place,
        /// The next one that exists.
        place: Place,
    },
    /// A batch has more than one position.
    #[error("batch {batch}: it has position {place} of the feed, and an earlier one")]
    TwoPositions {
        /// The batch.
        batch: BatchId,
        /// The later of the two.
        place: Place,
    },
    /// A batch has a position before it is signed.
    #[error("batch {batch}: it has position {place} of the feed, but is not signed")]
    PositionTooEarly {
        /// The batch.
        batch: BatchId,
        /// Its position.
        place: Place,
    },
    /// A reader of the feed would never see a signed batch.
    #[error("batch {batch}: it is signed, but has no position in the feed, and does not wait for one")]
    NoPosition {
        /// The batch.
        batch: BatchId,
    },
    /// A reader was shown another batch at a position than the one that has it now.
    #[error("feed: a reader was shown another batch at position {place}")]
    PositionChanged {
        /// The position.
        place: Place,
    },
    /// A signed batch has no receipt.
    #[error("batch {batch}: it is signed, but has no receipt in the ledger")]
    NoReceipt {
        /// The batch.
        batch: BatchId,
    },
    /// A batch has more than one receipt.
    #[error("batch {batch}: it has receipt {seq}, and an earlier one")]
    TwoReceipts {
        /// The batch.
        batch: BatchId,
        /// The number of the later one.
        seq: u64,
    },
    /// What a batch was signed over, its names or its signatures have changed.
    #[error("batch {batch}: its records, their names or their signatures are not those of its receipt")]
    NotAsInReceipt {
        /// The batch.
        batch: BatchId,
    },
    /// An entry, or an order of entries, is not the one that an anchor knows.
    #[error("ledger: up to entry {seq}, it is not what the anchor '{anchor}' says")]
    NotAsAnchored {
        /// The name of the anchor.
        anchor: String,
        /// The number of the entry where that shows.
        seq: u64,
    },
    /// An anchor knows of entries that the database does not have.
    #[error(
        "ledger: it has {found} entries, but the anchor '{anchor}' knows of {anchored}: the database is older"
    )]
    BehindAnchor {
        /// The name of the anchor.
        anchor: String,
        /// The last entry that it knows.
        anchored: u64,
        /// The last one that there is.
        found: u64,
    },
    /// A key was added or retired, but not in the ledger.
    #[error("key {key}: the ledger does not say that it was added, or that it was retired")]
    KeyNotInLedger {
        /// The key.
        key: KeyId,
    },
    /// A key is not retired, though the ledger says that it was. Retired keys never sign again.
    #[error("key {key} was retired, as the ledger says, and is not retired any more")]
    KeyIsBack {
        /// The key.
        key: KeyId,
    },
    /// A receipt has the entry of a batch, and is of another batch or of none.
    #[error("ledger: the entry of receipt {seq} is not of the batch to which the receipt belongs")]
    WrongSubject {
        /// The number of the receipt.
        seq: u64,
    },
    /// A receipt is missing.
    #[error("ledger: receipt {seq} comes after receipt {before}")]
    LedgerHasGap {
        /// The number before the gap.
        before: u64,
        /// The next one that exists.
        seq: u64,
    },
    /// What a receipt is of does not make an entry, such as a batch that is not signed.
    #[error(
        "ledger: receipt {seq} is of something that is not as it must be, such as a batch that is not signed"
    )]
    NoEntry {
        /// The number of the receipt.
        seq: u64,
    },
    /// What was committed has changed, or its order.
    #[error("ledger: what was committed up to receipt {seq} is not what the receipts say")]
    WrongRoot {
        /// The number of the first receipt whose root is wrong.
        seq: u64,
    },
    /// The row of the ledger contradicts the receipts.
    #[error("ledger: it is said to end with entry {said}, but the receipts end with {found}")]
    LedgerEndsOtherwise {
        /// What the row says.
        said: u64,
        /// The last receipt.
        found: u64,
    },
    /// The row of the ledger has another edge than the receipts.
    #[error("ledger: the edge in its row is not that of the receipts")]
    WrongEdge,
    /// The entry of a restore does not begin where the incarnation before it ended in this database.
    #[error("ledger: entry {seq} is of a restore that kept something else than the entries before it")]
    WrongRestore {
        /// The number of the entry.
        seq: u64,
    },
    /// The number of the incarnation is not that of the restores.
    #[error("ledger: it is said to be incarnation {said}, but its restores make it incarnation {found}")]
    WrongIncarnation {
        /// What the row says.
        said: u32,
        /// One more than there are restores.
        found: u32,
    },
    /// Other batches are lost than the last restore says. Those that are not any more could be signed again.
    #[error("the last restore says that {said} batches are lost, and the database has {found}, or others")]
    LostOtherwise {
        /// How many the ledger says.
        said: u64,
        /// How many there are.
        found: u64,
    },
    /// Batches are said to be lost, though no restore was accepted.
    #[error("{batches} batches are said to be lost, but the ledger has no restore")]
    LostWithoutRestore {
        /// How many.
        batches: u64,
    },
    /// A receipt is gone, or another one has its number.
    #[error("ledger: receipt {seq} has changed, or is gone")]
    ReceiptChanged {
        /// The number of the receipt.
        seq: u64,
    },
    /// The number of rows differs from the sum over the batches.
    #[error("{what}: the batches add up to {expected}, but there are {found}")]
    WrongTotal {
        /// What was counted.
        what: &'static str,
        /// The sum over the batches.
        expected: u64,
        /// How many rows there are.
        found: u64,
    },
}
