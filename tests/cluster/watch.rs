//! An onlooker who never stops looking while nodes work: what must hold at every moment.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use diesel::{
    PgConnection, QueryResult, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{BigInt, Binary},
};

use support::waiting::lasting;

use crate::site::Site;

/// A thread that looks; it must be asked in the end.
pub struct Watch {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

/// What it saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// How often it looked.
    pub looks: usize,
    /// In how many of these several nodes held batches.
    pub together: usize,
    /// Signatures, as they were when they were seen first.
    signatures: HashMap<i64, Vec<u8>>,
}

#[derive(QueryableByName)]
struct Holders {
    #[diesel(sql_type = BigInt)]
    nodes: i64,
    #[diesel(sql_type = BigInt)]
    doubles: i64,
}

#[derive(QueryableByName)]
struct Value {
    #[diesel(sql_type = BigInt)]
    record_id: i64,
    #[diesel(sql_type = Binary)]
    value: Vec<u8>,
}

const HOLDERS: &str = "SELECT count(DISTINCT node_id) AS nodes, count(*) - count(DISTINCT key_id) AS doubles
     FROM batch WHERE state = 'leased'";

/// The newest, and some of all.
const VALUES: &str = "(SELECT record_id, value FROM signature ORDER BY record_id DESC LIMIT 50) UNION ALL
     SELECT record_id, value FROM signature TABLESAMPLE SYSTEM (1)";

impl Watch {
    /// Begins to look.
    pub fn start(site: &Site<'_>) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let (mut sql, stop) = (site.admin(), Arc::clone(&ended));
        let thread = thread::spawn(move || {
            let mut seen = Seen::default();
            while !stop.load(Relaxed) {
                seen.look(&mut sql).unwrap();
                lasting(Duration::from_millis(20));
            }
            seen
        });
        Self { ended, thread }
    }

    /// What it has seen.
    pub fn end(self) -> Seen {
        self.ended.store(true, Relaxed);
        self.thread.join().expect("nothing was seen that must not be")
    }
}

impl Seen {
    /// P2: no key is in two batches. P1: what was shown once is what is stored for ever.
    fn look(&mut self, sql: &mut PgConnection) -> QueryResult<()> {
        let Holders { nodes, doubles } = sql_query(HOLDERS).get_result(sql)?;
        assert_eq!(doubles, 0, "a key is in two batches at once");
        self.looks += 1;
        self.together += usize::from(nodes > 1);
        for Value { record_id, value } in sql_query(VALUES).load(sql)? {
            let first = self.signatures.entry(record_id).or_insert_with(|| value.clone());
            assert_eq!(*first, value, "the signature of record {record_id} changed");
        }
        Ok(())
    }
}
