//! What only PostgreSQL can show: its guards against strangers, records that become visible late, the
//! ways to a server that are refused, connections that break, and migrations.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod addresses;
mod changes;
mod copies;
mod exclusive;
mod feed;
mod gaps;
mod guards;
mod hidden;
mod ids;
mod language;
mod limit;
mod migrations;
mod news;
mod pooler;
mod reading;
mod roles;
mod server;
mod settings;
mod submit;
mod trouble;
mod turns;
mod versions;

use std::sync::Arc;

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query,
    sql_types::Text,
};
use signwave::{
    domain::BatchId,
    store::{self, DatabaseUrl, Store},
};
use support::postgres::{Cluster, PASSWORD, database_of, patient};

/// A database that is up to date, on the server that the tests share.
struct Database {
    url: String,
    store: Arc<dyn Store>,
}

impl Database {
    fn new(name: &str) -> Self {
        let url = Cluster::shared().database(name);
        migrate(&url);
        Self { store: open(&url), url }
    }

    /// A connection of its owner's, who knows nothing of Sign Wave.
    fn stranger(&self) -> PgConnection {
        PgConnection::establish(&self.url).unwrap()
    }

    /// A superuser's.
    fn admin(&self) -> PgConnection {
        Cluster::shared().admin(database_of(&self.url))
    }

    /// A role of this database's own, with rights, as whom it is opened by the URL.
    fn role(&self, rights: &str) -> (String, String) {
        let role = format!("role_of_{}", database_of(&self.url));
        run(
            &mut self.admin(),
            &format!("CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'; {}", rights.replace("ROLE", &role)),
        );
        (role.clone(), Cluster::shared().url(&role, database_of(&self.url)))
    }

    /// The runs of all batches.
    fn runs(&self) -> Vec<String> {
        self.store.batches(BatchId(0), 1000).unwrap().iter().map(|batch| batch.records.to_string()).collect()
    }
}

fn parse(url: &str) -> DatabaseUrl {
    DatabaseUrl::parse(url).unwrap()
}

fn migrate(url: &str) {
    assert!(!store::migrate(&parse(&patient(url))).unwrap().is_empty());
}

fn open(url: &str) -> Arc<dyn Store> {
    store::open(&parse(&patient(url))).unwrap()
}

fn run(connection: &mut PgConnection, sql: &str) {
    connection.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// The lines that a query of one column, `line`, returns.
fn lines(connection: &mut PgConnection, sql: &str) -> Vec<String> {
    sql_query(sql).load::<Line>(connection).unwrap().into_iter().map(|line| line.line).collect()
}
