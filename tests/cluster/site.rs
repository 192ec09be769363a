//! A database with keys on a PostgreSQL server, nodes that sign it, and eyes from outside.

use std::{
    path::PathBuf,
    process::{Command, Output},
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use diesel::{
    PgConnection, QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::BigInt,
};
use rustix::process::Signal;
use support::{
    postgres::{Cluster, database_of},
    process::{Running, command, succeed},
    waiting::until,
};
use tempfile::TempDir;

/// The shortest lease there is, so that takeovers come soon.
pub const LEASE_TTL: Duration = Duration::from_secs(1);
pub const LEASE_GRACE: Duration = Duration::from_millis(200);

/// A database of the test's own. Tests that have one take turns: they measure time.
pub struct Site<'a> {
    pub cluster: &'a Cluster,
    pub url: String,
    /// How long nodes have their leases. Where none may lose its lease, longer than the machine may stand still.
    pub lease_ttl: Duration,
    folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl<'a> Site<'a> {
    /// A new database with that many keys of `bits` bits.
    pub fn new(cluster: &'a Cluster, name: &str, keys: u32, bits: u32) -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        // Whoever failed before has nothing to do with the next one.
        let turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (url, folder) = (cluster.database(name), TempDir::new().unwrap());
        let site = Self { cluster, url, lease_ttl: LEASE_TTL, folder, _turn: turn };
        site.ok(&["keys", "init-master", "master"]);
        site.ok(&["seed", "--keys", &keys.to_string(), "--bits", &bits.to_string()]);
        site
    }

    fn command(&self, url: &str, arguments: &[&str]) -> Command {
        let mut command = command(arguments, self.folder.path());
        command.env("DATABASE_URL", url);
        if !arguments.starts_with(&["keys", "init-master"]) {
            command.env("SIGNWAVE_MASTER_KEY_FILE", self.folder.path().join("master"));
        }
        command
    }

    /// Runs to the end, which must be a good one.
    pub fn ok(&self, arguments: &[&str]) -> Output {
        succeed(self.command(&self.url, arguments))
    }

    /// Puts the next master key in the place of the current one, on all nodes at once.
    pub fn take_over_next_master_key(&self) {
        let folder = self.folder.path();
        std::fs::rename(folder.join("master.next"), folder.join("master")).unwrap();
    }

    /// Starts a node of that name, which must be new.
    pub fn node(&self, name: &str, batch_size: &str) -> Node {
        self.node_at(&self.url, name, batch_size)
    }

    /// The same, with another way to the database.
    pub fn node_at(&self, url: &str, name: &str, batch_size: &str) -> Node {
        self.start(name, self.serve(url, name, batch_size))
    }

    /// The same, with variables in its environment.
    pub fn node_in(&self, environment: &[(&'static str, PathBuf)], name: &str, batch_size: &str) -> Node {
        let mut command = self.serve(&self.url, name, batch_size);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        self.start(name, command)
    }

    fn serve(&self, url: &str, name: &str, batch_size: &str) -> Command {
        let (ttl, grace) = (format!("{:?}", self.lease_ttl), format!("{LEASE_GRACE:?}"));
        let arguments = [
            "serve",
            "--node-name",
            name,
            "--batch-size",
            batch_size,
            "--lease-ttl",
            &ttl,
            "--lease-grace",
            &grace,
        ];
        self.command(url, &arguments)
    }

    fn start(&self, name: &str, command: Command) -> Node {
        let log: PathBuf = self.folder.path().join(format!("{name}.log"));
        assert!(!log.exists(), "a node of the name {name} was there");
        Node { name: name.to_owned(), process: Running::start(command, log) }
    }

    /// A superuser's connection, past the network.
    pub fn admin(&self) -> PgConnection {
        self.cluster.admin(database_of(&self.url))
    }

    /// Inserts records with plain SQL.
    pub fn insert(&self, records: u64) {
        let insert = "INSERT INTO record (payload) SELECT sha256(i::text::bytea) FROM generate_series";
        self.admin().batch_execute(&format!("{insert}(1, {records}) AS i")).unwrap();
    }

    /// Inserts as many as are needed for so many to wait, at least.
    pub fn keep_waiting(&self, sql: &mut PgConnection, records: u64) {
        if number(sql, WAITING) < records as i64 {
            self.insert(records);
        }
    }

    /// Waits until every record has its signature.
    pub fn wait_until_signed(&self, limit: Duration, nodes: &mut [&mut Node]) {
        let mut sql = self.admin();
        let unsigned =
            "SELECT count(*) FROM record LEFT JOIN signature ON record_id = id WHERE record_id IS NULL";
        until("everything is signed", limit, || {
            nodes.iter_mut().for_each(|node| node.must_run());
            number(&mut sql, unsigned) == 0
        });
    }

    /// Stops the nodes in order, then checks that nothing waits or is held, and every promise.
    /// Returns how many records there are.
    pub fn check_all_signed(&self, nodes: impl IntoIterator<Item = Node>) -> i64 {
        let (nodes, mut sql): (Vec<Node>, _) = (nodes.into_iter().collect(), self.admin());
        // One that lost the answer to its registration leaves a node behind that nobody is: it goes when
        // its lease has run out, if there is somebody to see that.
        until("forgotten nodes are gone", Duration::from_secs(20), || {
            number(&mut sql, "SELECT count(*) FROM node") == nodes.len() as i64
        });
        let logs: String = nodes.into_iter().map(|node| node.stop().1).collect();
        self.ok(&["verify"]);
        let mut ask = |query: &str| number(&mut sql, query);
        let records = ask("SELECT count(*) FROM record");
        assert_eq!(ask("SELECT count(*) FROM signature"), records, "one signature for each record");
        assert_eq!(ask("SELECT count(*) FROM signed_record"), records, "and all of them shown");
        assert_eq!(
            ask("SELECT coalesce(sum(signature_count), 0)::bigint FROM signing_key"),
            records,
            "stored once"
        );
        assert_eq!(ask("SELECT coalesce(sum(record_count), 0)::bigint FROM batch"), records, "batched once");
        assert_eq!(ask("SELECT count(*) FROM batch WHERE state <> 'signed'"), 0);
        assert_eq!(ask("SELECT count(*) FROM node"), 0, "{logs}");
        records
    }
}

/// A process that signs; it is killed when dropped.
pub struct Node {
    pub name: String,
    process: Running,
}

impl Node {
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Stops it as SIGSTOP does, with all its threads.
    pub fn pause(&self) {
        self.process.pause();
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    /// A node never ends by itself.
    pub fn must_run(&mut self) {
        assert!(self.process.is_running(), "node {} has ended:\n{}", self.name, self.log());
    }

    /// Waits for its end; returns its exit code, if it has one, and its log.
    pub fn ended(mut self, limit: Duration) -> (Option<i32>, String) {
        (self.process.wait(limit), self.log())
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.must_run();
        self.signal(Signal::KILL);
        assert_eq!(self.process.wait(Duration::from_secs(5)), None, "killed by the signal");
    }

    /// SIGTERM, after which it must end well; returns how long that took, and its log.
    pub fn stop(self) -> (Duration, String) {
        self.stop_by(Signal::TERM)
    }

    /// The same, by another signal.
    pub fn stop_by(mut self, signal: Signal) -> (Duration, String) {
        self.must_run();
        let begun = Instant::now();
        self.signal(signal);
        let code = self.process.wait(Duration::from_secs(10));
        assert_eq!(code, Some(0), "{}", self.log());
        (begun.elapsed(), self.log())
    }
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Records without a signature, without counting all of them.
const WAITING: &str = "SELECT (SELECT coalesce(max(id), 0) FROM record) - (SELECT sum(signature_count) FROM signing_key)::bigint";

/// The one number that a query selects.
pub fn number(sql: &mut PgConnection, query: &str) -> i64 {
    let query = format!("SELECT ({query}) AS number");
    sql_query(&query).get_result::<Number>(sql).unwrap_or_else(|error| panic!("{query}: {error}")).number
}

/// How many batches are held by nodes whose names are like that.
pub fn held_by(sql: &mut PgConnection, name: &str) -> i64 {
    let held =
        "SELECT count(*) FROM batch JOIN node ON node.id = node_id WHERE state = 'leased' AND name LIKE";
    number(sql, &format!("{held} '{name}'"))
}
