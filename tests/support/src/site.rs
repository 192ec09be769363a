//! A folder with a database of its own, the binary under test, and eyes from outside.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Mutex,
    thread,
};

use diesel::{
    Connection, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_query, sql_types::BigInt,
};
use tempfile::TempDir;

use crate::process::{Running, command, succeed};

pub struct Site {
    folder: TempDir,
}

#[derive(diesel::QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

impl Site {
    /// A folder with nothing in it.
    pub fn empty() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    /// A database with that many keys of `bits` bits, and records.
    pub fn new(keys: u32, bits: u32, records: u32) -> Self {
        let site = Self::empty();
        let numbers = [keys, bits, records].map(|number| number.to_string());
        site.ok(&["seed", "--keys", &numbers[0], "--bits", &numbers[1], "--records", &numbers[2]]);
        site
    }

    /// Another folder with the same files.
    pub fn copy(&self) -> Self {
        let copy = Self::empty();
        for file in std::fs::read_dir(self.folder.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), copy.folder.path().join(file.file_name())).unwrap();
        }
        copy
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        command(arguments, self.folder.path())
    }

    /// Runs to the end, which must be a good one.
    pub fn ok(&self, arguments: &[&str]) -> Output {
        succeed(self.command(arguments))
    }

    /// Starts a process whose log goes to the file `name`.
    pub fn spawn(&self, name: &str, arguments: &[&str]) -> Running {
        Running::start(self.command(arguments), self.path(name))
    }

    pub fn sql(&self) -> SqliteConnection {
        let mut connection = SqliteConnection::establish(self.path("signwave.db").to_str().unwrap()).unwrap();
        connection.batch_execute("PRAGMA busy_timeout = 60000").unwrap();
        connection
    }

    /// Inserts records with plain SQL.
    pub fn insert(&self, records: u32) {
        let insert = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {records})
             INSERT INTO record (payload) SELECT randomblob(40) FROM n"
        );
        self.sql().batch_execute(&insert).unwrap();
    }

    /// Inserts as many as are needed for so many to wait, at least.
    pub fn keep_waiting(&self, sql: &mut SqliteConnection, records: u32) {
        if number(sql, WAITING) < records.into() {
            self.insert(records);
        }
    }

    /// Nothing waits, nothing is held, and everything that was promised holds.
    pub fn check_all_signed(&self) {
        self.ok(&["verify"]);
        let mut sql = self.sql();
        assert_eq!(
            number(&mut sql, "SELECT count(*) FROM record WHERE id NOT IN (SELECT record_id FROM signature)"),
            0
        );
        assert_eq!(number(&mut sql, "SELECT count(*) FROM batch WHERE state <> 'signed'"), 0);
        assert_eq!(number(&mut sql, "SELECT count(*) FROM node"), 0);
    }

    /// All signatures, as anybody may read them.
    pub fn signatures(&self) -> BTreeMap<i64, Vec<u8>> {
        signatures(&mut self.sql())
    }

    /// Verifies signatures with the openssl command alone, evenly chosen where there are more than 20,000;
    /// returns how many.
    pub fn check_with_openssl(&self) -> usize {
        let mut rows = self.signed_rows();
        let each = 1 + rows.len() / 20_000;
        rows.retain(|row| (row.record_id as usize).is_multiple_of(each));
        let queue = Mutex::new(rows.iter());
        thread::scope(|scope| {
            for worker in 0..thread::available_parallelism().map_or(2, usize::from) {
                let queue = &queue;
                scope.spawn(move || {
                    let next = || queue.lock().unwrap().next();
                    while let Some(row) = next() {
                        self.openssl_accepts(worker, row);
                    }
                });
            }
        });
        rows.len()
    }

    fn openssl_accepts(&self, worker: usize, row: &SignedRow) {
        let file = |name: &str, bytes: &[u8]| {
            let path = self.path(&format!("{name}-{worker}"));
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let key = self.path(&format!("{}.pem", row.fingerprint));
        if !key.exists() {
            let pem = self.ok(&["keys", "show", "--pem", &row.fingerprint]).stdout;
            std::fs::rename(file("pem", &pem), &key).unwrap();
        }
        let output = Command::new("openssl")
            .args(["dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"])
            .arg("-verify")
            .arg(&key)
            .arg("-signature")
            .arg(file("signature", &row.signature))
            .arg(file("payload", &row.payload))
            .output()
            .expect("the openssl command is there");
        assert!(output.status.success(), "openssl rejects record {}: {output:?}", row.record_id);
    }

    fn signed_rows(&self) -> Vec<SignedRow> {
        sql_query("SELECT record_id, payload, signature, fingerprint FROM signed_record ORDER BY record_id")
            .load(&mut self.sql())
            .unwrap()
    }
}

#[derive(diesel::QueryableByName)]
struct SignedRow {
    #[diesel(sql_type = BigInt)]
    record_id: i64,
    #[diesel(sql_type = diesel::sql_types::Binary)]
    payload: Vec<u8>,
    #[diesel(sql_type = diesel::sql_types::Binary)]
    signature: Vec<u8>,
    #[diesel(sql_type = diesel::sql_types::Text)]
    fingerprint: String,
}

#[derive(diesel::QueryableByName)]
struct Blob {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = diesel::sql_types::Binary)]
    value: Vec<u8>,
}

/// The columns `id` and `value` of a query.
pub fn blobs(sql: &mut SqliteConnection, query: &str) -> BTreeMap<i64, Vec<u8>> {
    let rows: Vec<Blob> = sql_query(query).load(sql).unwrap();
    rows.into_iter().map(|row| (row.id, row.value)).collect()
}

/// All signatures that a connection sees.
pub fn signatures(sql: &mut SqliteConnection) -> BTreeMap<i64, Vec<u8>> {
    blobs(sql, "SELECT record_id AS id, value FROM signature")
}

/// Records without a signature, without counting all of them.
const WAITING: &str =
    "SELECT (SELECT coalesce(max(id), 0) FROM record) - (SELECT sum(signature_count) FROM signing_key)";

/// The one number that a query selects.
pub fn number(sql: &mut SqliteConnection, query: &str) -> i64 {
    sql_query(format!("SELECT ({query}) AS number")).get_result::<Number>(sql).unwrap().number
}
