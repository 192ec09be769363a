//! What only the inside can provoke: each error for real, a panic within a transaction, the pragmas.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use diesel::{
    Connection, SqliteConnection,
    connection::{InstrumentationEvent, SimpleConnection},
    sql_types::{BigInt, Text},
};

use super::{SqliteStore, connection, errors::Failure, locks::NodeLocks, migrations};
use crate::store::sql::{Sql, Value, execute, row, rows};
use crate::{
    domain::{NodeId, Reach},
    store::{Audit, Batching, Intake, Nodes, OnConflict, OpenBatches, StoreError},
};

/// A new database, in a folder that lasts as long as the first of both.
pub(super) fn database() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    migrations::migrate(&path).unwrap();
    (folder, SqliteStore::open(&path, &[]).unwrap())
}

fn stranger(store: &SqliteStore) -> SqliteConnection {
    SqliteConnection::establish(store.path.to_str().unwrap()).unwrap()
}

fn on_writer(store: &SqliteStore, sql: &str) {
    store.writers.as_ref().unwrap().get().unwrap().batch_execute(sql).unwrap();
}

fn insert(store: &SqliteStore, payload: &[u8]) -> Result<usize, StoreError> {
    store.write(|connection| Ok(execute::<Insert, _>(connection, &[Value::Blob(payload)])?))
}

struct Insert;
impl Sql for Insert {
    const TEXT: &'static str = "INSERT INTO record (payload) VALUES (?)";
    type Columns = ();
}

#[test]
fn a_database_that_another_process_writes_is_busy() {
    let (_folder, store) = database();
    on_writer(&store, "PRAGMA busy_timeout = 1");
    let mut other = stranger(&store);
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    assert_eq!(insert(&store, b"a"), Err(StoreError::Busy));
    // Looking for work takes no lock.
    store.insert_records(&[], OnConflict::Stop).unwrap();
    let poll = store.open_batches(OpenBatches { batch_size: 1, keep_open: 1, partial: true });
    assert_eq!(poll.map(|result| result.opened), Ok(0));
    other.batch_execute("COMMIT").unwrap();
    assert_eq!(insert(&store, b"a"), Ok(1));
}

#[test]
fn a_full_disk_is_called_full_and_is_no_lasting_harm() {
    let (_folder, store) = database();
    insert(&store, b"a").unwrap();
    on_writer(&store, "PRAGMA max_page_count = 1");
    assert_eq!(insert(&store, &[7; 1 << 20]), Err(StoreError::Full));
    on_writer(&store, "PRAGMA max_page_count = 1000000");
    assert_eq!(insert(&store, &[7; 1 << 20]), Ok(1));
    assert_eq!(store.counts().unwrap().records, 2);
}

#[test]
fn a_database_that_cannot_be_written_is_read_only() {
    let (_folder, store) = database();
    on_writer(&store, "PRAGMA query_only = ON");
    assert_eq!(insert(&store, b"a"), Err(StoreError::ReadOnly(store.path.display().to_string())));
    let reader = store.read(|connection| Ok(execute::<Insert, _>(connection, &[Value::Blob(b"a")])?));
    assert!(matches!(reader, Err(StoreError::ReadOnly(_))), "readers never write");
}

#[test]
fn what_a_constraint_or_trigger_refuses_is_refused_in_its_own_words() {
    let (_folder, store) = database();
    insert(&store, b"a").unwrap();
    for (sql, message) in [
        ("INSERT INTO record (payload) VALUES (NULL)", "NOT NULL constraint failed: record.payload"),
        ("INSERT INTO signing_key (id) VALUES (0)", "NOT NULL constraint failed: signing_key.fingerprint"),
        ("INSERT INTO record (id, payload) VALUES (-2, '')", "CHECK constraint failed: id > 0 AND id < 9223372036854775807"),
        ("DELETE FROM record", "a record cannot be deleted"),
        ("CREATE TEMP TABLE t (a UNIQUE); INSERT INTO t VALUES (1), (1)", "UNIQUE constraint failed: t.a"),
        (
            "PRAGMA defer_foreign_keys = ON; INSERT INTO batch (first_record, last_record, runs, record_count)
                VALUES (1, 1, '1', 1); UPDATE batch SET state = 'leased', epoch = 1, key_id = 5, node_id = 5,
                scheme = 'PS256', leased_at = ''",
            "FOREIGN KEY constraint failed",
        ),
    ] {
        let result = store.write(|connection| Ok(connection.batch_execute(sql)?));
        assert_eq!(result, Err(StoreError::Refused(message.to_owned())), "{sql}");
    }
    assert_eq!(store.counts().unwrap().batches, 0, "the last one failed at COMMIT, and was rolled back");
    insert(&store, b"a").unwrap();
}

#[test]
fn damage_is_called_damage() {
    let (folder, store) = database();
    for _ in 0..50 {
        insert(&store, &[7; 3000]).unwrap();
    }
    drop(store);
    let path = folder.path().join("s.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let length = bytes.len();
    bytes[length - 40 * 4096..].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let store = SqliteStore::open(&path, &[]).unwrap();
    assert!(matches!(
        store.read_payloads(&"1-50".parse().unwrap(), &mut |_, _, _| ()),
        Err(StoreError::Corrupt(_))
    ));
    assert!(store.audit().unwrap().iter().any(|problem| problem.starts_with("integrity: ")));
}

#[test]
fn a_panic_within_a_transaction_rolls_it_back_and_the_store_goes_on() {
    let (_folder, store) = database();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _: Result<(), StoreError> = store.write(|connection| {
            execute::<Insert, _>(connection, &[Value::Blob(b"a")])?;
            panic!("on purpose")
        });
    }));
    assert!(panicked.is_err());
    assert_eq!(store.counts().unwrap().records, 0);
    assert_eq!(insert(&store, b"b"), Ok(1));
    assert_eq!(pragma_values(&store), expected_pragmas(), "the new connection is as strict as the first");
}

#[test]
fn an_error_within_a_transaction_rolls_it_back() {
    let (_folder, store) = database();
    let result: Result<(), _> = store.write(|connection| {
        execute::<Insert, _>(connection, &[Value::Blob(b"a")])?;
        Err(Failure(StoreError::Corrupt("on purpose".to_owned())))
    });
    assert_eq!(result, Err(StoreError::Corrupt("on purpose".to_owned())));
    assert_eq!(store.counts().unwrap().records, 0);
}

#[test]
fn the_writer_is_durable_and_strict() {
    let (_folder, store) = database();
    assert_eq!(pragma_values(&store), expected_pragmas());
}

#[test]
fn every_commit_waits_for_the_disk_except_forming_leasing_and_releasing() {
    let (_folder, store) = database();
    let within = |connection: &mut SqliteConnection| Ok(row::<Synchronous, i64, _>(connection, &[])?);
    for _ in 0..2 {
        assert_eq!(store.write_unsynced(within), Ok(Some(1)));
        assert_eq!(store.write(within), Ok(Some(2)), "whatever came before");
    }
    let uses = |source: &str| source.matches("write_unsynced(").count();
    assert_eq!([include_str!("batches.rs"), include_str!("leases.rs")].map(uses), [1, 2]);
    let durable = [
        include_str!("commits.rs"),
        include_str!("keys.rs"),
        include_str!("nodes.rs"),
        include_str!("records.rs"),
    ];
    assert_eq!(durable.map(uses), [0; 4]);
}

struct Synchronous;
impl Sql for Synchronous {
    const TEXT: &'static str = "SELECT synchronous FROM pragma_synchronous";
    type Columns = BigInt;
}

fn expected_pragmas() -> Vec<(String, String)> {
    let expected = [
        ("busy_timeout", "15000"),
        ("foreign_keys", "1"),
        ("journal_mode", "wal"),
        ("journal_size_limit", "67108864"),
        ("recursive_triggers", "1"),
        ("synchronous", "2"),
        ("trusted_schema", "0"),
    ];
    expected.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

fn pragma_values(store: &SqliteStore) -> Vec<(String, String)> {
    rows::<Pragmas, _, _>(&mut store.writers.as_ref().unwrap().get().unwrap(), &[]).unwrap()
}

struct Pragmas;
impl Sql for Pragmas {
    const TEXT: &'static str = "SELECT 'busy_timeout', CAST(timeout AS TEXT) FROM pragma_busy_timeout \
         UNION SELECT 'foreign_keys', CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys \
         UNION SELECT 'journal_mode', journal_mode FROM pragma_journal_mode \
         UNION SELECT 'journal_size_limit', CAST(journal_size_limit AS TEXT) FROM pragma_journal_size_limit \
         UNION SELECT 'recursive_triggers', CAST(recursive_triggers AS TEXT) FROM pragma_recursive_triggers \
         UNION SELECT 'synchronous', CAST(synchronous AS TEXT) FROM pragma_synchronous \
         UNION SELECT 'trusted_schema', CAST(trusted_schema AS TEXT) FROM pragma_trusted_schema";
    type Columns = (Text, Text);
}

#[test]
fn a_database_that_cannot_keep_a_write_ahead_log_is_refused() {
    let mut memory = SqliteConnection::establish(":memory:").unwrap();
    let refused = connection::prepare_writer(&mut memory).unwrap_err().0.to_string();
    assert!(refused.contains("journal mode 'memory'"), "{refused}");
}

#[test]
fn the_write_ahead_log_does_not_grow_without_bound() {
    let (folder, store) = database();
    for _ in 0..40 {
        insert(&store, &[7; 1 << 20]).unwrap();
    }
    let log = std::fs::metadata(folder.path().join("s.db-wal")).unwrap().len();
    assert!(log < 16 << 20, "{log}");
}

/// SQLite answers how it would run each statement that the work's speed depends on.
#[test]
fn no_step_of_the_work_scans_a_table_that_grows() {
    let (_folder, store) = database();
    let plan: Vec<(i64, i64, i64, String)> =
        rows::<Plan, _, _>(&mut store.readers.get().unwrap(), &[Value::Integer(1), Value::Integer(1)])
            .unwrap();
    let steps: Vec<_> = plan.into_iter().map(|(.., step)| step).collect();
    assert!(
        steps.iter().all(|step| !step.starts_with("SCAN record") && !step.starts_with("SCAN signature")),
        "{steps:?}"
    );
    assert!(steps.iter().any(|step| step.contains("batch_open")), "{steps:?}");
}

struct Plan;
impl Sql for Plan {
    const TEXT: &'static str = "EXPLAIN QUERY PLAN SELECT \
         (SELECT count(*) FROM batch WHERE state = 'open'), (SELECT count(*) FROM batch WHERE state = 'leased'), \
         (SELECT last_record FROM batch ORDER BY id DESC LIMIT 1), (SELECT count(*) FROM batch WHERE node_id = ?), \
         (SELECT signature FROM signed_record WHERE record_id = ?)";
    type Columns = (BigInt, BigInt, BigInt, Text);
}

#[test]
fn a_lock_file_tells_the_living_from_the_dead() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    let (mine, theirs) = (NodeLocks::new(&path), NodeLocks::new(&path));
    assert!(theirs.take_from_dead(NodeId(1)).is_none(), "no file, no answer");
    mine.hold(NodeId(1));
    assert!(theirs.take_from_dead(NodeId(1)).is_none(), "it lives");
    assert!(mine.take_from_dead(NodeId(1)).is_none(), "even when we ask ourselves");
    drop(mine);
    let proof = theirs.take_from_dead(NodeId(1));
    assert!(proof.is_some());
    assert!(theirs.take_from_dead(NodeId(1)).is_none(), "one reclaimer at a time");
    theirs.forget(NodeId(1));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn nodes_leave_no_files_behind() {
    let (folder, store) = database();
    let locks = || {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
        files.filter(|name| name.to_string_lossy().ends_with(".lock")).count()
    };
    let node = store.register_node("a", Duration::from_secs(60), &Reach::default()).unwrap();
    assert_eq!(locks(), 1);
    store.remove_node(node).unwrap();
    assert_eq!(locks(), 0);
    let other = SqliteStore::open(&store.path, &[]).unwrap();
    other.register_node("b", Duration::from_secs(60), &Reach::default()).unwrap();
    drop(other);
    assert_eq!(locks(), 1);
    assert_eq!(store.reclaim(None, Duration::from_secs(60)).unwrap().len(), 1);
    assert_eq!(locks(), 0);
}

#[test]
fn a_lost_lock_file_leaves_a_node_alive_until_its_lease_runs_out() {
    let (folder, store) = database();
    let other = SqliteStore::open(&store.path, &[]).unwrap();
    let node = other.register_node("b", Duration::from_secs(60), &Reach::default()).unwrap();
    std::fs::remove_file(folder.path().join(format!("s.db.node-{node}.lock"))).unwrap();
    drop(other);
    assert_eq!(store.reclaim(None, Duration::ZERO).unwrap(), []);
    store.renew_node(node, Duration::ZERO, &Reach::default()).unwrap();
    stranger(&store).batch_execute("UPDATE node SET lease_until = '2000-01-01T00:00:00.000Z'").unwrap();
    assert_eq!(store.reclaim(None, Duration::ZERO).unwrap().len(), 1);
}

#[test]
fn each_statement_is_prepared_once() {
    let (_folder, store) = database();
    let mut connection = store.writers.as_ref().unwrap().get().unwrap();
    let prepared = Arc::new(AtomicUsize::new(0));
    let counter = prepared.clone();
    connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::CacheQuery { .. } = event {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    drop(connection);
    for _ in 0..3 {
        insert(&store, b"a").unwrap();
    }
    assert_eq!(prepared.load(Ordering::Relaxed), 1);
}
