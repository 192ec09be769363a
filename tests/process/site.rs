//! A folder with a database of its own, the binary under test, and eyes from outside.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use diesel::{
    Connection, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_query, sql_types::BigInt,
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub struct Site {
    folder: TempDir,
}

/// The release binary where `scripts/test` built one, otherwise the one that cargo built for us.
fn binary() -> PathBuf {
    std::env::var_os("TEST_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_signwave").into(), Into::into)
}

#[derive(diesel::QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

impl Site {
    /// A database with that many keys of `bits` bits, and records.
    pub fn new(keys: u32, bits: u32, records: u32) -> Self {
        let site = Self { folder: TempDir::new().unwrap() };
        let numbers = [keys, bits, records].map(|number| number.to_string());
        site.ok(&["seed", "--keys", &numbers[0], "--bits", &numbers[1], "--records", &numbers[2]]);
        site
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Runs to the end, which must be a good one.
    pub fn ok(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {}\n{stderr}", output.status);
        output
    }

    /// Starts a process whose log goes to the file `name`.
    pub fn spawn(&self, name: &str, arguments: &[&str]) -> Running {
        let log = self.path(name);
        let file = std::fs::File::create(&log).unwrap();
        let child = self.command(arguments).stdout(Stdio::null()).stderr(file).spawn().unwrap();
        Running { child, log }
    }

    pub fn sql(&self) -> SqliteConnection {
        let mut connection = SqliteConnection::establish(self.path("signwave.db").to_str().unwrap()).unwrap();
        connection.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
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

    /// Verifies every signature with the openssl command alone; returns how many there are.
    pub fn check_with_openssl(&self) -> usize {
        let rows = self.signed_rows();
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

/// The one number that a query selects.
pub fn number(sql: &mut SqliteConnection, query: &str) -> i64 {
    sql_query(format!("SELECT ({query}) AS number")).get_result::<Number>(sql).unwrap().number
}

/// A process at work; it is killed when dropped.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its exit code, which must come within `limit`; `None` when a signal ended it.
    pub fn wait(&mut self, limit: Duration) -> Option<i32> {
        let deadline = Instant::now() + limit;
        until("the process ends", limit, || self.child.try_wait().unwrap().is_some());
        assert!(Instant::now() <= deadline);
        self.child.wait().unwrap().code()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn log(&self) -> String {
        read(&self.log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// Polls until `condition` holds; `what` is named when it does not within `limit`.
pub fn until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Pseudo-random numbers (splitmix64), so that a printed seed replays a test.
pub struct Random(u64);

impl Random {
    /// Seeded by `TEST_SEED`, or anew; printed.
    pub fn new() -> Self {
        let fresh =
            || u64::from(std::process::id()) << 32 | u64::from(Instant::now().elapsed().subsec_nanos());
        let seed = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(fresh);
        println!("TEST_SEED={seed}");
        Self(seed)
    }

    /// From 0 to `below`, exclusively.
    pub fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}
