//! A store, and what only the outside can do to it: time, death, and other processes.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::faulty::FaultyStore;
use crate::memory::MemoryStore;
use diesel::{
    Connection, PgConnection, QueryResult, RunQueryDsl, SqliteConnection, connection::SimpleConnection,
    sql_query,
};
use signwave::{
    domain::{NodeId, RecordId},
    store::{self, DatabaseUrl, Store, StoreError},
};
use tempfile::TempDir;

use crate::postgres::{Cluster, database_of, patient};

pub struct TestedStore {
    pub store: Arc<dyn Store>,
    inside: Inside,
}

enum Inside {
    Memory(Arc<MemoryStore>),
    Sqlite(TempDir),
    Postgres(Database),
}

/// A database on a server, gone when this is dropped.
struct Database {
    url: DatabaseUrl,
    name: String,
    admin: Mutex<PgConnection>,
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let _ = Cluster::shared().admin("postgres").batch_execute(&drop); // it goes with the server
    }
}

impl TestedStore {
    pub fn memory() -> Self {
        let store = Arc::new(MemoryStore::new());
        Self { store: store.clone(), inside: Inside::Memory(store) }
    }

    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = url(&folder);
        assert!(!store::migrate(&url).unwrap().is_empty());
        Self { store: store::open(&url).unwrap(), inside: Inside::Sqlite(folder) }
    }

    /// A database of its own on a server that the tests share.
    pub fn postgres() -> Self {
        let cluster = Cluster::shared();
        let url = cluster.database("tested");
        let name = database_of(&url).to_owned();
        let (admin, url) = (cluster.admin(&name).into(), DatabaseUrl::parse(&patient(&url)).unwrap());
        assert!(!store::migrate(&url).unwrap().is_empty());
        Self { store: store::open(&url).unwrap(), inside: Inside::Postgres(Database { url, name, admin }) }
    }

    /// SQLite again, through a fault plan that is empty.
    pub fn faulty() -> Self {
        let Self { store, inside } = Self::sqlite();
        Self { store: Arc::new(FaultyStore::new(store)), inside }
    }

    /// Another process' view of the same database.
    pub fn other(&self) -> Arc<dyn Store> {
        match &self.inside {
            Inside::Memory(store) => store.clone(),
            Inside::Sqlite(folder) => store::open(&url(folder)).unwrap(),
            Inside::Postgres(database) => store::open(&database.url).unwrap(),
        }
    }

    /// Ends that other process, which registered `node`, without a good-bye.
    pub fn kill(&self, other: Arc<dyn Store>, node: NodeId) {
        if let Inside::Memory(store) = &self.inside {
            store.declare_dead(node);
        }
        assert!(Arc::strong_count(&other) == 1 || matches!(self.inside, Inside::Memory(_)));
        drop(other);
    }

    /// The database's clock moves on, for the leases of nodes and the holds on outlets at least.
    pub fn let_time_pass(&self, time: Duration) {
        match &self.inside {
            Inside::Memory(store) => store.advance(time),
            _ => self.shift_leases(&format!("-{}", time.as_secs())),
        }
    }

    /// Moves the clock of a store that has one; that of a database moves by itself.
    pub fn advance_own_clock(&self, time: Duration) {
        if let Inside::Memory(store) = &self.inside {
            store.advance(time);
        }
    }

    /// The database's clock is set back, as far as leases can tell.
    pub fn set_clock_back(&self, time: Duration) {
        match &self.inside {
            Inside::Memory(store) => store.set_back(time),
            _ => self.shift_leases(&format!("+{}", time.as_secs())),
        }
    }

    fn shift_leases(&self, seconds: &str) {
        match &self.inside {
            Inside::Memory(_) => unreachable!("it has a clock that can be moved"),
            Inside::Sqlite(folder) => {
                let shift = |table: &str, column: &str| {
                    let later = format!("strftime('%Y-%m-%dT%H:%M:%fZ', {column}, '{seconds} seconds')");
                    foreign(folder).batch_execute(&format!("UPDATE {table} SET {column} = {later}")).unwrap();
                };
                shift("node", "lease_until");
                shift("outlet", "held_until");
            }
            Inside::Postgres(database) => {
                let shift = format!(
                    "UPDATE node SET lease_until = lease_until + interval '{seconds} s'; \
                     UPDATE outlet SET held_until = held_until + interval '{seconds} s'"
                );
                database.admin.lock().unwrap().batch_execute(&shift).unwrap();
            }
        }
    }

    /// Adds a record under an id that another process chose.
    pub fn insert_at(&self, id: i64) -> Result<(), StoreError> {
        match &self.inside {
            Inside::Memory(store) => store.insert_at(RecordId(id), b"payload"),
            Inside::Sqlite(folder) => {
                let sql = format!("INSERT INTO record (id, payload) VALUES ({id}, 'payload')");
                let done: QueryResult<usize> = sql_query(sql).execute(&mut foreign(folder));
                done.map(|_| ()).map_err(|error| StoreError::Refused(error.to_string()))
            }
            Inside::Postgres(database) => {
                let sql = format!(
                    "SELECT setval('record_id_seq', greatest({id}, last_value)) FROM record_id_seq; \
                     INSERT INTO record (id, payload) OVERRIDING SYSTEM VALUE VALUES ({id}, 'payload')"
                );
                let done = database.admin.lock().unwrap().batch_execute(&sql);
                done.map_err(|error| StoreError::Refused(error.to_string()))
            }
        }
    }
}

fn url(folder: &TempDir) -> DatabaseUrl {
    DatabaseUrl::Sqlite(folder.path().join("signwave.db"))
}

/// A connection of somebody who knows nothing of Sign Wave.
fn foreign(folder: &TempDir) -> SqliteConnection {
    let path = folder.path().join("signwave.db");
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    connection
        .batch_execute(
            "PRAGMA busy_timeout = 60000; PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = OFF",
        )
        .unwrap();
    connection
}
