//! Plain SQL as a way in and out, and how mistakes made with it come to light.

use diesel::{
    QueryableByName, RunQueryDsl, SqliteConnection, sql_query,
    sql_types::{BigInt, Binary},
};
use signwave::{
    domain::{BatchId, Epoch, InsertVerdict, KeyId, NodeId, OpenBatch, RecordId, Scheme, SignatureBuf},
    store::{self, DatabaseUrl, NewRecord, OnConflict, OpenBatches},
};
use support::stranger::Database;

#[test]
fn a_record_below_the_frontier_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("s.db"));
    store::migrate(&url).unwrap();
    let store = store::open(&url).unwrap();
    let database = Database { folder, store };
    database.allows("INSERT INTO record (id, payload) VALUES (5, 'a'), (20, 'b')");
    database.store.open_batches(OpenBatches { batch_size: 9, keep_open: 9, partial: true }).unwrap();
    database.refuses(
        "below the frontier",
        &[
            "INSERT INTO record (id, payload) VALUES (4, 'new')",
            "INSERT INTO record (id, payload) VALUES (19, 'new')",
            "INSERT OR IGNORE INTO record (id, payload) VALUES (19, 'new')",
        ],
    );
    database.allows("INSERT INTO record (payload) VALUES ('c')");
    assert_eq!(database.store.status().unwrap().unbatched, 1);
}

#[test]
fn a_signature_is_shown_only_once_its_batch_is_signed() {
    let database = Database::new();
    database.allows("INSERT INTO signature VALUES (3, 2, x'00')");
    let before = database.dump();
    let shown = count(&mut database.stranger(), "SELECT count(*) AS n FROM signed_record");
    assert_eq!(shown, 2, "not by the view");
    assert_eq!(database.store.batch_of(RecordId(3)).unwrap(), None, "nor by us");
    let mut stored = None;
    database
        .store
        .read_signed(&"3".parse().unwrap(), &mut |row| stored = row.signature.map(|(batch, _)| batch))
        .unwrap();
    assert_eq!(stored, Some(BatchId(2)), "but a check of the database finds it");
    // And the true ones can no longer be stored: all of the commit is refused, as it must be.
    let open = OpenBatch { id: BatchId(2), epoch: Epoch(0), records: "3-4".parse().unwrap() };
    let late = open.lease(KeyId(2), NodeId(1), Scheme::Ps256);
    let mut signatures = SignatureBuf::with_capacity(256, 2);
    signatures.push_zeroed();
    signatures.push_zeroed();
    let contents = support::store::contents(&late);
    let result = database.store.commit(&[late.signed(&contents, signatures).unwrap()]);
    assert!(matches!(result, Err(store::StoreError::Refused(_))), "{result:?}");
    assert_eq!(database.dump(), before);
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

fn count(connection: &mut SqliteConnection, sql: &str) -> i64 {
    sql_query(sql).get_result::<Count>(connection).unwrap().n
}

#[derive(QueryableByName)]
struct Payload {
    #[diesel(sql_type = Binary)]
    payload: Vec<u8>,
}

#[test]
fn a_payload_given_as_text_is_signed_as_its_bytes() {
    let database = Database::new();
    database.allows("INSERT INTO record (payload) VALUES ('é'), (x'c3a9'), ('')");
    let mut payloads = Vec::new();
    database
        .store
        .read_payloads(&"10-12".parse().unwrap(), &mut |_, _, payload| payloads.push(payload.to_vec()))
        .unwrap();
    assert_eq!(payloads, ["é".as_bytes(), "é".as_bytes(), b""]);
    let again = NewRecord { external_id: Some("t"), payload: "é".as_bytes() };
    database.allows("INSERT INTO record (external_id, payload) VALUES ('t', 'é')");
    assert_eq!(
        database.store.insert_records(&[again], OnConflict::Stop).unwrap(),
        [InsertVerdict::AlreadyThere(RecordId(13))]
    );
    assert_eq!(database.store.batch_of(RecordId(10)).unwrap(), None);
    let bytes = "SELECT count(*) AS n FROM signed_record WHERE typeof(payload) = 'blob'";
    assert_eq!(count(&mut database.stranger(), bytes), 2, "record 1 was written as text");
    let view = "SELECT payload FROM signed_record ORDER BY record_id";
    let shown: Vec<Payload> = sql_query(view).load(&mut database.stranger()).unwrap();
    assert_eq!(shown.iter().map(|row| row.payload.as_slice()).collect::<Vec<_>>(), [b"old", b"old"]);
}

#[test]
fn an_external_id_that_is_no_text_does_not_stop_a_reader() {
    let database = Database::new();
    database
        .allows("INSERT INTO record (external_id, payload) VALUES (CAST(x'61ff' AS TEXT), 'a'), (5, 'b')");
    let mut names = Vec::new();
    let mut visit = |row: store::SignedRow<'_>| names.push(row.external_id.map(str::to_owned));
    database.store.read_signed(&"10-11".parse().unwrap(), &mut visit).unwrap();
    assert_eq!(names, [Some("a\u{fffd}".to_owned()), Some("5".to_owned())]);
}

#[test]
fn an_audit_names_whatever_is_missing_changed_or_strange() {
    let database = Database::new();
    assert_eq!(database.store.audit().unwrap(), Vec::<String>::new());
    database.allows("CREATE TABLE mine (a); CREATE INDEX mine_too ON mine (a)");
    assert_eq!(database.store.audit().unwrap(), Vec::<String>::new(), "a user may keep more");
    database.allows(
        "DROP TRIGGER signature_no_update; DROP INDEX batch_one_lease_per_key; DROP VIEW signed_record;
         CREATE VIEW signed_record AS SELECT 1; CREATE TRIGGER strange AFTER INSERT ON mine BEGIN SELECT 1; END;
         INSERT INTO signature VALUES (3, 2, x'00'); INSERT INTO signature VALUES (4, 2, x'00');
         PRAGMA writable_schema = ON; DELETE FROM sqlite_master WHERE name = 'record_no_delete'; PRAGMA writable_schema = OFF",
    );
    database.allows("CREATE TABLE other (node REFERENCES node (id)); INSERT INTO other VALUES (99)");
    assert_eq!(
        database.store.audit().unwrap(),
        [
            "index 'batch_one_lease_per_key' is missing",
            "trigger 'record_no_delete' is missing",
            "trigger 'signature_no_update' is missing",
            "view 'signed_record' was changed",
            "trigger 'strange' is not Sign Wave's",
            "other 1 refers to a node that does not exist",
        ]
    );
}
