//! Why an active key may not sign now.

/// SQL for the name of a [`Barred`](crate::domain::Barred), or NULL for a key that may sign as far as its limits go.
/// The time is that of the statement. For a key with a limit of signatures, and for no other, the smallest open batch is
/// looked up, which the index `batch_open_size` has.
macro_rules! barred {
    () => {
        "CASE WHEN signing_key.state <> 'active' THEN NULL \
         WHEN not_before > strftime('%Y-%m-%dT%H:%M:%fZ', 'now') THEN 'not-yet-valid' \
         WHEN not_after <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now') THEN 'expired' \
         WHEN max_signatures IS NULL THEN NULL \
         WHEN max_signatures - signature_count \
             < coalesce((SELECT min(record_count) FROM batch WHERE batch.state = 'open'), 1) THEN 'exhausted' END"
    };
}

pub(super) use barred;
