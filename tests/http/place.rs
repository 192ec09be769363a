//! A database of either kind with a service that answers for it, and eyes from outside.

use std::{collections::BTreeMap, net::SocketAddr, process::Command, time::Duration};

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query,
    sql_types::{BigInt, Text},
};
use support::{
    api::Api,
    postgres::{Cluster, database_of},
    sandbox::{Sandbox, succeeded},
    waiting::until,
};

/// A database, and the folder in which commands for it run.
pub struct Place {
    /// The folder.
    pub sandbox: Sandbox,
    /// The address on a server; `None` for the SQLite file in the folder.
    server: Option<String>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    number: i64,
    #[diesel(sql_type = Text)]
    text: String,
}

impl Place {
    /// An SQLite database with a key.
    pub fn sqlite() -> Self {
        Self { sandbox: Sandbox::new(), server: None }.prepared()
    }

    /// A database on a PostgreSQL server, with a key.
    pub fn postgres() -> Self {
        Self { sandbox: Sandbox::new(), server: Some(Cluster::shared().database("http")) }.prepared()
    }

    /// One of each kind.
    pub fn of_each_kind() -> [Self; 2] {
        [Self::sqlite(), Self::postgres()]
    }

    fn prepared(self) -> Self {
        self.ok(&["keys", "init-master", "master"]);
        self.ok(&["seed", "--keys", "2"]);
        self
    }

    /// The binary, about to run on this database.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(arguments);
        if let Some(server) = &self.server {
            command.env("DATABASE_URL", server);
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

    /// Starts a service that answers on any port.
    pub fn serve(&self, arguments: &[&str]) -> Api {
        self.serve_at("127.0.0.1:0", arguments)
    }

    /// Starts a service that answers there.
    pub fn serve_at(&self, address: &str, arguments: &[&str]) -> Api {
        let command = self.command(&[&["serve", "--listen", address], arguments].concat());
        Api::of(command, self.sandbox.path("serve.log"))
    }

    /// A token with these scopes.
    pub fn token(&self, scope: &str) -> String {
        self.ok(&["tokens", "create", "--name", "test", "--scope", scope]).trim().to_owned()
    }

    /// Rows with the columns `number` and `text`.
    fn rows(&self, sql: &str) -> Vec<Row> {
        match &self.server {
            Some(server) => {
                let mut admin: PgConnection = Cluster::shared().admin(database_of(server));
                sql_query(sql).load(&mut admin).unwrap()
            }
            None => {
                let path = self.sandbox.path("signwave.db");
                let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
                sql_query("PRAGMA busy_timeout = 5000").execute(&mut connection).unwrap();
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

    /// Every record has one signature, and everything that was promised holds.
    pub fn check_all_signed(&self) {
        until("everything is signed", Duration::from_secs(120), || {
            self.number("SELECT count(*) FROM signature") == self.records()
        });
        self.ok(&["verify"]);
    }
}

/// Where a service answers.
pub fn address(api: &Api) -> SocketAddr {
    api.url.strip_prefix("http://").unwrap().parse().unwrap()
}
