//! A folder of its own for each test, and the binary running in it.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    sql_query,
    sql_types::{BigInt, Text},
};
use tempfile::TempDir;

use crate::{process::built, store::MINUTE, waiting::until};

/// A folder, removed at the end. The database in it is `signwave.db`, as by default.
pub struct Sandbox(TempDir);

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    number: i64,
    #[diesel(sql_type = Text)]
    text: String,
}

impl Sandbox {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with an empty database.
    pub fn migrated() -> Self {
        let sandbox = Self::new();
        sandbox.ok(&["migrate"]);
        sandbox
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The names of all files there are.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn mode(&self, name: &str) -> u32 {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(self.path(name)).unwrap().mode() & 0o777
    }

    /// The binary, about to run in the folder with no settings but `arguments`.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(built());
        self.prepare(&mut command);
        command.args(arguments);
        command
    }

    /// Another program, about to run in the folder in the same way.
    pub fn program(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(name);
        self.prepare(&mut command);
        command.args(arguments);
        command
    }

    fn prepare(&self, command: &mut Command) {
        command.current_dir(self.0.path()).stdin(Stdio::null()).env_remove("DATABASE_URL");
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SIGNWAVE_"))
        {
            command.env_remove(name);
        }
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs what must succeed; returns what it printed to stdout.
    pub fn ok(&self, arguments: &[&str]) -> String {
        succeeded(&self.run(arguments))
    }

    /// Runs what must fail with `code`; returns its error message, which must be one line.
    pub fn fails(&self, code: i32, arguments: &[&str]) -> String {
        failed(code, &self.run(arguments))
    }

    /// Runs `sql` on the database, behind Sign Wave's back.
    pub fn sql(&self, sql: &str) {
        self.connect().batch_execute(sql).unwrap();
    }

    /// One number from the database.
    pub fn number(&self, sql: &str) -> i64 {
        self.rows(&format!("SELECT ({sql}) AS number, '' AS text"))[0].0
    }

    /// Rows with the columns `number` and `text`.
    pub fn rows(&self, sql: &str) -> Vec<(i64, String)> {
        let rows: Vec<Row> = sql_query(sql).load(&mut self.connect()).unwrap();
        rows.into_iter().map(|row| (row.number, row.text)).collect()
    }

    fn connect(&self) -> SqliteConnection {
        let mut connection = SqliteConnection::establish(self.path("signwave.db").to_str().unwrap()).unwrap();
        connection.batch_execute("PRAGMA busy_timeout = 60000").unwrap();
        connection
    }

    /// Waits until no connection is left and the file holds all that was stored. A pool that was dropped may close its last
    /// connection a little later, in another thread, and that writes the log into whatever file is there.
    fn until_closed(&self) {
        until("the log is gone", MINUTE, || {
            self.sql("PRAGMA wal_checkpoint(TRUNCATE)");
            !self.path("signwave.db-wal").exists()
        });
    }

    /// A copy of the database, in the file `name`.
    pub fn keep(&self, name: &str) {
        self.sql(&format!("VACUUM INTO '{}'", self.path(name).display()));
    }

    /// Puts the file `name` in the place of the database.
    pub fn put(&self, name: &str) {
        self.until_closed();
        fs::copy(self.path(name), self.path("signwave.db")).unwrap();
    }

    /// Another folder with the same files.
    pub fn copy(&self) -> Self {
        let copy = Self::new();
        for name in self.files().iter().filter(|name| self.path(name).is_file()) {
            fs::copy(self.path(name), copy.path(name)).unwrap();
        }
        copy
    }
}

pub fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{output:#?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn failed(code: i32, output: &Output) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:#?}");
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    let error = stderr.lines().find_map(|line| line.strip_prefix("signwave: "));
    error.unwrap_or_else(|| panic!("no error message in {stderr}")).to_owned()
}
