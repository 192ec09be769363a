//! A database with something of everything, and a stranger who speaks plain SQL with SQLite's own
//! default pragmas: foreign keys and recursive triggers off.

use std::{sync::Arc, time::Duration};

use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_query,
    sql_types::Text,
};
use signwave::{
    domain::{AuditId, BatchId, Fingerprint, KeyLimits, KeyMaterial, Reach, Scheme, SignatureBuf},
    store::{self, DatabaseUrl, NewKey, NewRecord, OnConflict, OpenBatches, Store},
};
use tempfile::TempDir;

use crate::store::{by, contents};

/// Records 1 to 9: batch 1 (1-2) signed, batch 2 (3-4) leased, batch 3 (5-6) open, 7 to 9 in none;
/// record 9 is named. Three keys, of which the third is retired.
pub struct Database {
    pub folder: TempDir,
    pub store: Arc<dyn Store>,
}

impl Database {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("s.db"));
        store::migrate(&url).unwrap();
        let store = store::open(&url).unwrap();
        for number in 1..=3 {
            store.add_key(&key(number), &by()).unwrap();
        }
        // One as text, which a stranger may write.
        let mut plain = SqliteConnection::establish(folder.path().join("s.db").to_str().unwrap()).unwrap();
        plain.batch_execute("INSERT INTO record (payload) VALUES ('old')").unwrap();
        drop(plain);
        store
            .insert_records(&[NewRecord { external_id: None, payload: b"old" }; 7], OnConflict::Stop)
            .unwrap();
        store
            .insert_records(&[NewRecord { external_id: Some("name"), payload: b"old" }], OnConflict::Stop)
            .unwrap();
        store.open_batches(OpenBatches { batch_size: 2, keep_open: 3, partial: false }).unwrap();
        let node = store.register_node("node", Duration::from_secs(60), &Reach::default()).unwrap();
        let mut leases = store.lease(node, Scheme::Ps256, 2, &Reach::default()).unwrap();
        let mut signatures = SignatureBuf::with_capacity(256, 2);
        signatures.push_zeroed();
        signatures.push_zeroed();
        let lease = leases.remove(0);
        let contents = contents(&lease);
        store.commit(&[lease.signed(&contents, signatures).unwrap()]).unwrap();
        let this = Self { folder, store };
        this.allows("UPDATE signing_key SET state = 'retired' WHERE id = 3");
        this
    }

    pub fn stranger(&self) -> SqliteConnection {
        let path = self.folder.path().join("s.db");
        let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        connection
            .batch_execute(
                "PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = OFF; PRAGMA busy_timeout = 60000",
            )
            .unwrap();
        connection
    }

    pub fn allows(&self, sql: &str) {
        self.stranger().batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// `because` is part of the message, so that no statement is refused for another reason.
    pub fn refuses(&self, because: &str, statements: &[&str]) {
        for sql in statements {
            let before = self.dump();
            let error = self.stranger().batch_execute(sql).expect_err(sql).to_string();
            assert!(error.contains(because), "{sql}: {error}");
            assert_eq!(self.dump(), before, "{sql}");
        }
    }

    /// Everything that must not change behind our back, the time apart that tokens still have.
    pub fn dump(&self) -> Vec<String> {
        let mut dump = vec![format!("{:?}", self.store.keys()), format!("{:?}", self.store.status())];
        self.store.read_signed(&"1-99".parse().unwrap(), &mut |row| dump.push(format!("{row:?}"))).unwrap();
        dump.push(format!("{:?}", self.store.batches(BatchId(0), 99)));
        dump.push(format!("{:?}", self.store.audit_log(AuditId(0), 99)));
        let tokens: Vec<TokenDump> = sql_query(TOKENS).load(&mut self.stranger()).unwrap();
        dump.extend(tokens.into_iter().map(|token| token.line));
        dump
    }
}

/// All that is stored of a token.
const TOKENS: &str = "SELECT concat_ws(' ', id, name, scopes, hex(secret_sha256), hex(previous_sha256), previous_until, \
     certificate_sha256, created_at, expires_at, revoked_at, last_used_at, parent) AS line FROM api_token ORDER BY id";

#[derive(QueryableByName)]
struct TokenDump {
    #[diesel(sql_type = Text)]
    line: String,
}

fn key(number: u8) -> NewKey {
    NewKey {
        fingerprint: Fingerprint([number; 32]),
        public_key: vec![number],
        bits: 2048,
        material: KeyMaterial::Sealed(vec![number]),
        limits: KeyLimits::default(),
    }
}
