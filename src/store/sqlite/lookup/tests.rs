//! How SQLite would run each lookup, and the query that finds keys for a lease.

use diesel::{QueryableByName, RunQueryDsl, sql_query};

use super::{
    super::{leases::LeastRecentlyUsed, tests::database},
    *,
};

const STATEMENTS: [&str; 12] = [
    RecordById::TEXT,
    RecordByName::TEXT,
    BatchAround::TEXT,
    OneBatch::TEXT,
    Latest::TEXT,
    LatestOpen::TEXT,
    LatestLeased::TEXT,
    LatestSigned::TEXT,
    KeyNamed::TEXT,
    KeysByUse::TEXT,
    KeysAsAdded::TEXT,
    Oldest::TEXT,
];

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// A step may scan an index of the unsigned batches, which are few, but neither a table that grows nor an index of
/// all its rows.
#[test]
fn no_lookup_reads_more_because_more_is_signed() {
    let (_folder, store) = database();
    for text in STATEMENTS {
        let steps = steps(&store, &text.replace('?', "1"));
        let is_cheap = |step: &String| {
            let few = ["batch_open", "batch_one_lease_per_key"].iter().any(|index| step.contains(index));
            let grows = ["record", "signature", "batch"]
                .iter()
                .any(|table| step.starts_with(&format!("SCAN {table} ")) || *step == format!("SCAN {table}"));
            few || !grows
        };
        assert!(steps.iter().all(is_cheap), "{text}\n{steps:#?}");
        // A statement that looks for unsigned batches must not look through the signed ones, in the order of their ids.
        let finds_few = ["state = 'open'", "state = 'leased'"].iter().any(|few| text.contains(few));
        let uses_index = steps.iter().any(|step| step.contains("batch_o"));
        assert!(!finds_few || uses_index, "{text}\n{steps:#?}");
    }
}

#[test]
fn a_lease_looks_at_the_smallest_open_batch_and_at_no_other_to_choose_its_keys() {
    let (_folder, store) = database();
    let steps = steps(&store, &LeastRecentlyUsed::TEXT.replacen('?', "'[]'", 1).replacen('?', "1", 1));
    assert!(steps.iter().any(|step| step.contains("batch_open_size")), "{steps:?}");
    assert!(!steps.iter().any(|step| step.starts_with("SCAN batch")), "{steps:?}");
}

/// The steps of a query.
fn steps(store: &SqliteStore, query: &str) -> Vec<String> {
    let explain = format!("EXPLAIN QUERY PLAN {query}");
    let steps = store.query(|connection| Ok(sql_query(&explain).load::<Step>(connection)?)).unwrap();
    steps.into_iter().map(|step| step.detail).collect()
}
