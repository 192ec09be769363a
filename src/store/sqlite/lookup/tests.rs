//! How SQLite would run each lookup.

use diesel::{QueryableByName, RunQueryDsl, sql_query};

use super::{super::migrations::migrate, *};

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
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    migrate(&path).unwrap();
    let store = SqliteStore::open(&path, &[]).unwrap();
    for text in STATEMENTS {
        let explain = format!("EXPLAIN QUERY PLAN {}", text.replace('?', "1"));
        let steps = store.query(|connection| Ok(sql_query(&explain).load::<Step>(connection)?)).unwrap();
        let steps: Vec<_> = steps.into_iter().map(|step| step.detail).collect();
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
