//! Where a test has its anchor: in a file, or in a database.

use std::{
    fs, slice,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use diesel::{QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types};
use signwave::anchors::{AnchorAddress, AnchorError, Anchors, Missing};
use support::postgres::{Cluster, at_port, database_of, patient};
use tempfile::TempDir;

use crate::ledger::origin;

/// A place for one anchor.
pub struct Site {
    pub address: AnchorAddress,
    /// Of a file.
    folder: Option<TempDir>,
    /// In a database.
    name: String,
}

/// The database of all these tests.
pub static DATABASE: LazyLock<String> = LazyLock::new(|| Cluster::shared().database("anchors"));

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = sql_types::Text)]
    text: String,
}

impl Site {
    pub fn file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { address: folder.path().join("anchor").into(), folder: Some(folder), name: String::new() }
    }

    pub fn database() -> Self {
        Self::at(&patient(&DATABASE))
    }

    /// In the same database, reached at another port.
    pub fn through(port: u16) -> Self {
        Self::at(&at_port(&DATABASE, port))
    }

    /// In this database.
    pub fn at(url: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let name = format!("site-{}", COUNT.fetch_add(1, Relaxed));
        Self { address: address(&format!("{url}#{name}")), folder: None, name }
    }

    /// Another one of the same kind.
    pub fn another(&self) -> Self {
        if self.folder.is_some() { Self::file() } else { Self::database() }
    }

    pub fn try_open(&self, missing: Missing) -> Result<Anchors, AnchorError> {
        Anchors::open(slice::from_ref(&self.address), origin(), missing)
    }

    /// Opens it, or makes it.
    pub fn open(&self) -> Anchors {
        self.try_open(Missing::Create).unwrap()
    }

    /// All of its lines.
    pub fn text(&self) -> String {
        match &self.address {
            AnchorAddress::File(path) => fs::read_to_string(path).unwrap(),
            AnchorAddress::Postgres(_) => {
                let sql =
                    format!("SELECT text FROM signwave_anchor WHERE name = '{}' ORDER BY line", self.name);
                let lines: Vec<Line> =
                    sql_query(sql).load(&mut Cluster::shared().admin(database_of(&DATABASE))).unwrap();
                lines.into_iter().map(|line| line.text + "\n").collect()
            }
        }
    }

    /// A superuser runs something on the rows of this anchor, `$ROWS`.
    pub fn tamper(&self, sql: &str) {
        let sql = sql.replace("$ROWS", &format!("name = '{}'", self.name)).replace("$NAME", &self.name);
        let sql = format!("SET session_replication_role = replica; {sql}");
        Cluster::shared().admin(database_of(&DATABASE)).batch_execute(&sql).unwrap();
    }
}

pub fn address(text: &str) -> AnchorAddress {
    AnchorAddress::parse(text.as_ref()).unwrap()
}
