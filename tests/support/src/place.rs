//! A database of either kind with commands that run on it, and eyes from outside.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query,
    sql_types::{BigInt, Text},
};

use crate::{
    postgres::{Cluster, at_port, database_of},
    proxy::Proxy,
    sandbox::{Sandbox, succeeded},
};

/// A database with keys, and the folder in which commands for it run.
pub struct Place<'a> {
    /// The folder.
    pub sandbox: Sandbox,
    /// The server and the address there; `None` for the SQLite file in the folder.
    server: Option<(&'a Cluster, String)>,
    /// The services that were started.
    served: AtomicUsize,
}

/// What a query of tests returns.
#[derive(QueryableByName)]
pub struct Row {
    #[diesel(sql_type = BigInt)]
    pub number: i64,
    #[diesel(sql_type = Text)]
    pub text: String,
}

impl Place<'static> {
    /// An SQLite database.
    pub fn sqlite() -> Self {
        Self::prepared(None)
    }

    /// A database on the shared PostgreSQL server, whose name begins so.
    pub fn postgres(name: &str) -> Self {
        Place::on(Cluster::shared(), name)
    }
}

impl<'a> Place<'a> {
    /// A database on this PostgreSQL server, whose name begins so.
    pub fn on(cluster: &'a Cluster, name: &str) -> Self {
        Self::prepared(Some((cluster, cluster.database(name))))
    }

    fn prepared(server: Option<(&'a Cluster, String)>) -> Self {
        let place = Self { sandbox: Sandbox::new(), server, served: AtomicUsize::new(0) };
        place.ok(&["keys", "init-master", "master"]);
        place.ok(&["seed", "--keys", "2"]);
        place
    }

    /// The same, with commands that reach the server through a proxy.
    pub fn through(self, proxy: &Proxy) -> Self {
        let server = self.server.map(|(cluster, address)| (cluster, at_port(&address, proxy.port())));
        Self { server, ..self }
    }

    /// The name of the database on its server.
    pub fn database(&self) -> &str {
        self.server.as_ref().map_or("", |(_, address)| database_of(address))
    }

    /// The binary, about to run on this database.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(arguments);
        if let Some((_, address)) = &self.server {
            command.env("DATABASE_URL", address);
        }
        if !arguments.starts_with(&["keys", "init-master"]) {
            command.env("SIGNWAVE_MASTER_KEY_FILE", self.sandbox.path("master"));
        }
        command
    }

    /// Runs what must succeed; returns what it printed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        succeeded(&self.command(arguments).output().unwrap())
    }

    /// The log of another service.
    pub fn log(&self) -> PathBuf {
        let number = self.served.fetch_add(1, Relaxed);
        self.sandbox.path(&format!("serve-{number}.log"))
    }

    /// Rows with the columns `number` and `text`.
    pub fn rows(&self, sql: &str) -> Vec<Row> {
        match &self.server {
            Some((cluster, address)) => {
                let mut admin: PgConnection = cluster.admin(database_of(address));
                sql_query(sql).load(&mut admin).unwrap()
            }
            None => {
                let path = self.sandbox.path("signwave.db");
                let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
                sql_query("PRAGMA busy_timeout = 60000").execute(&mut connection).unwrap();
                sql_query(sql).load(&mut connection).unwrap()
            }
        }
    }

    /// One number.
    pub fn number(&self, sql: &str) -> i64 {
        self.rows(&format!("SELECT CAST(({sql}) AS BIGINT) AS number, '' AS text"))[0].number
    }

    /// How many records there are.
    pub fn records(&self) -> i64 {
        self.number("SELECT count(*) FROM record")
    }

    /// The id of each named record.
    pub fn names(&self) -> BTreeMap<String, i64> {
        let sql = "SELECT id AS number, external_id AS text FROM record WHERE external_id IS NOT NULL";
        self.rows(sql).into_iter().map(|row| (row.text, row.number)).collect()
    }
}
