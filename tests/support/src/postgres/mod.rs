//! PostgreSQL servers of the tests' own: started from the installed programs in a temporary folder,
//! and gone with the process that wanted them, however that ends.

mod bouncer;
mod guard;
mod language;
mod programs;
mod replica;
mod tls;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query,
    sql_types::BigInt,
};

pub use bouncer::Bouncer;
pub use guard::Guard;
use programs::Programs;
pub use programs::{free_port, succeed};

use crate::{store::MINUTE, waiting::until};

/// A server with its folder, at a port of 127.0.0.1 and at a socket in that folder.
///
/// Over TCP it wants passwords, over the socket it trusts. It is stopped and its folder removed when
/// this is dropped, and also when the process dies without dropping anything.
pub struct Cluster {
    programs: Programs,
    folder: PathBuf,
    port: u16,
    environment: Vec<(&'static str, PathBuf)>,
    #[expect(dead_code, reason = "dropping it stops the server")]
    guard: Guard,
}

/// How a server is stopped.
#[derive(Clone, Copy, Debug)]
pub enum Stop {
    /// In order: connections are closed, everything is written.
    Fast,
    /// As a crash: the next start recovers from the log.
    Immediate,
}

/// The user that owns the databases of [`Cluster::database`]; not a superuser.
pub const USER: &str = "signwave";

/// The password of every user.
pub const PASSWORD: &str = "never-in-a-log";

/// What every server is told. A time zone that nobody expects shows where somebody relied on one.
const SETTINGS: &str = "listen_addresses = '127.0.0.1'\nmax_connections = 200\ntimezone = 'Asia/Kathmandu'\n\
                        log_line_prefix = '%m [%p] %a '\npassword_encryption = 'scram-sha-256'\n";

/// Seconds that a start or a stop may take. After a crash a server first syncs each file that it has, of which there are
/// many thousands.
const LIMIT: &str = "600";

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

impl Cluster {
    /// The server that the tests of one program share; each takes a database of its own.
    pub fn shared() -> &'static Self {
        // Statics are never dropped: the guard stops it when this process ends.
        static SHARED: LazyLock<Cluster> = LazyLock::new(Cluster::start);
        &SHARED
    }

    /// A server of one's own, which can be stopped and crashed without harm to others.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// With lines for `postgresql.conf`, such as `fsync = off`.
    pub fn start_with(settings: &str) -> Self {
        Self::prepare(settings, Vec::new())
    }

    /// With variables in its environment, such as those of a clock of its own.
    pub fn start_in(environment: Vec<(&'static str, PathBuf)>) -> Self {
        Self::prepare("", environment)
    }

    /// One of another version than the installed one, with lines for `postgresql.conf`.
    pub fn of_version(version: u32, settings: &str) -> Self {
        let folder = Programs::find().folder();
        Self::prepare_in(Programs::unpacked(version, &folder), folder, settings, Vec::new())
    }

    fn prepare(settings: &str, environment: Vec<(&'static str, PathBuf)>) -> Self {
        let programs = Programs::find();
        let folder = programs.folder();
        Self::prepare_in(programs, folder, settings, environment)
    }

    fn prepare_in(
        programs: Programs,
        folder: PathBuf,
        settings: &str,
        environment: Vec<(&'static str, PathBuf)>,
    ) -> Self {
        let cluster =
            Self { guard: Guard::of_server(&programs, &folder), programs, folder, port: 0, environment };
        std::fs::write(cluster.folder.join("password"), PASSWORD).unwrap();
        cluster.run("initdb", |command| {
            command.args(["--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]);
            command.args(["--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile=password"]);
            command.args(["-D", "data"])
        });
        let file = cluster.folder.join("data/postgresql.conf");
        std::fs::write(file, format!("{SETTINGS}{settings}\n")).unwrap();
        let cluster = cluster.started_at_a_free_port();
        let user = format!("CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'");
        cluster.admin("postgres").batch_execute(&user).unwrap();
        cluster
    }

    /// Starts it somewhere. Another process may take the port first: then somewhere else.
    fn started_at_a_free_port(mut self) -> Self {
        for _ in 0..10 {
            self.port = programs::free_port();
            if self.try_start() {
                return self;
            }
        }
        panic!("PostgreSQL does not start:\n{}", self.log());
    }

    fn try_start(&self) -> bool {
        let options = format!("-c port={} -c unix_socket_directories='{}'", self.port, self.folder.display());
        let mut command = self.command("pg_ctl");
        command.args(["start", "-w", "-t", LIMIT, "-s", "-D", "data", "-l", "log", "-o", &options]);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.output().unwrap().status.success()
    }

    /// Starts it again where it was, after [`Self::stop`].
    pub fn restart(&self) {
        assert!(self.try_start(), "PostgreSQL does not start again:\n{}", self.log());
    }

    /// Stops it; returns when it is down.
    pub fn stop(&self, mode: Stop) {
        let mode = format!("{mode:?}").to_lowercase();
        self.run("pg_ctl", |command| {
            command.args(["stop", "-w", "-t", LIMIT, "-s", "-D", "data", "-m", &mode])
        });
    }

    /// A new, empty database, owned by [`USER`]; returns its URL. `name` is for people who look.
    pub fn database(&self, name: &str) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let database = format!("{name}_{}", COUNT.fetch_add(1, Relaxed));
        let create = format!("CREATE DATABASE {database} OWNER {USER}");
        self.admin("postgres").batch_execute(&create).unwrap();
        self.url(USER, &database)
    }

    /// Where a user finds a database.
    pub fn url(&self, user: &str, database: &str) -> String {
        url_at(self.port, user, database)
    }

    /// A superuser's connection, over the socket: what hinders TCP does not hinder it.
    pub fn admin(&self, database: &str) -> PgConnection {
        let address =
            format!("host={} port={} user=postgres dbname={database}", self.folder.display(), self.port);
        PgConnection::establish(&address).unwrap()
    }

    /// Ends all connections to a database from the server's side; returns how many there were.
    pub fn terminate_backends(&self, database: &str) -> i64 {
        let terminate = format!(
            "SELECT count(*) AS number FROM pg_stat_activity, pg_terminate_backend(pid)
             WHERE datname = '{database}' AND pid <> pg_backend_pid()"
        );
        sql_query(terminate).get_result::<Number>(&mut self.admin("postgres")).unwrap().number
    }

    /// Makes the database `to` a copy of another, all connections to which are ended.
    pub fn copy(&self, from: &str, to: &str) {
        let mut admin = self.admin("postgres");
        admin.batch_execute(&format!("DROP DATABASE IF EXISTS {to} WITH (FORCE)")).unwrap();
        let copy = format!("CREATE DATABASE {to} TEMPLATE {from} OWNER {USER}");
        until("no process has it open", MINUTE, || {
            self.terminate_backends(from);
            admin.batch_execute(&copy).is_ok()
        });
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.join("log")).unwrap_or_default()).into_owned()
    }

    /// The port at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it keeps everything, which only its user and root can enter.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// One of its programs, to be run as its user in its folder.
    fn command(&self, program: &str) -> Command {
        self.programs.command(program, &self.folder)
    }

    /// Runs one of its programs to an end that must be a good one.
    fn run(&self, program: &str, arguments: impl FnOnce(&mut Command) -> &mut Command) {
        programs::succeed(arguments(&mut self.command(program)));
    }
}

/// The name of the database that a URL names.
pub fn database_of(url: &str) -> &str {
    url.split_once('?').map_or(url, |(url, _)| url).rsplit_once('/').unwrap().1
}

/// The same URL at another port, such as a proxy's.
pub fn at_port(url: &str, port: u16) -> String {
    let (head, tail) = url.split_once('@').unwrap();
    let (host, path) = tail.split_once(['/']).unwrap();
    let (name, _) = host.split_once(':').unwrap();
    format!("{head}@{name}:{port}/{path}")
}

/// The same URL for a store that a test opens once. What a service would try again must wait, because a busy machine may
/// take longer to connect than the four seconds that are usual.
pub fn patient(url: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}connect_timeout=60")
}

fn url_at(port: u16, user: &str, database: &str) -> String {
    format!("postgres://{user}:{PASSWORD}@127.0.0.1:{port}/{database}")
}
