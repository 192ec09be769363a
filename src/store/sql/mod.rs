//! What both databases have in common: statements with values, and rows as domain values.

mod access;
mod audit_log;
mod batches;
mod checks;
mod feed;
mod heals;
mod keys;
mod leases;
mod ledger;
mod lookup;
mod migrations;
mod outlets;
mod reading;
mod refused;
mod restores;
mod statement;
mod status;
mod webhooks;

pub(super) use access::{
    RawStoredToken, RawToken, StoredTokenColumns, TokenColumns, credential_columns, end_in_words,
    revocation_in_words, rotation_in_words, stored_token, token_in_words,
};
pub(super) use audit_log::{AuditColumns, AuditSpan, Change, RawAudit, missing_rows, note};
pub(super) use batches::{BatchColumns, HoldingColumns, OpenColumns, RawBatch, RawHolding, RawOpen};
pub(super) use checks::{expect_rows, json_array, sql_limit};
pub(super) use feed::{FeedBatchColumns, RawFeedBatch, feed_id};
pub(super) use heals::{
    NOT_HALTED, SetHalted, form_again, halted_after, key_again, lease_again, misfit, note_healed,
    signed_again,
};
pub(super) use keys::{
    Certificates, limit_texts, note_added_key, reseal_keys, set_certificates, set_key_limits, set_key_state,
};
pub(super) use leases::{IdleColumns, RawIdle, Terms, idle_keys, keys_limit, lease_in_rounds};
pub(super) use ledger::{
    AddLedgerKey, Growing, LedgerColumns, LedgerKeyRow, RawLedger, RawPast, RawReceipt, ReadLedger, ReadPast,
    ReceiptColumns, RecordsRoots, ReplaceLedgerKey, StoreCheckpoint, batch_entry, halt, insert_entry,
    key_entry, ledger_key, past, records_roots,
};
pub(super) use lookup::{
    OldestColumns, RawOldest, RawRecord, RawSummary, RecordColumns, SummaryColumns, add_unsigned_batch,
    record, summaries, with_records,
};
pub(super) use migrations::known;
pub(super) use outlets::{EndOfFeed, InsertOutlet, OutletColumns, RawOutlet, Release, Step, judge, reset};
pub(super) use reading::{
    KeyColumns, LimitColumns, RawKey, RawSigned, RawStoredKey, SignedColumns, StoredKeyColumns, page,
    read_pages, stored_key,
};
pub(super) use refused::{
    RawRefused, RefusedColumns, RefusedPayload, RetryColumns, drop_refused, retry, store_arrivals,
};
pub(super) use restores::{
    HighestBatch, Lost, RestoreEntries, begin_incarnation, end_of, highest_record, insert_lost,
    last_id_after, lose, retire_again,
};
pub(super) use statement::{Sql, Value, bound, execute, row, rows};
pub(super) use status::{
    CountColumns, KeySumColumns, NodeColumns, RawCounts, RawKeySum, RawNode, RawSum, SumColumns, status,
};
pub(super) use webhooks::{
    CountWebhooks, DeleteOutlet, DeleteWebhook, Disable, Enable, InsertWebhook, NotInFeed, OutletAtTheEnd,
    RawStoredWebhook, RawWebhook, ReplaceSecrets, SealedSecrets, SettleOutlet, StoredWebhookColumns,
    WebhookColumns, stored_webhook, webhook_in_words, webhook_name,
};
