//! Records that become visible late, and in another order than their ids.

use std::{
    thread,
    time::{Duration, Instant},
};

use diesel::{
    Connection, PgConnection, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::Text,
};
use support::{
    postgres::Cluster,
    random::{Random, count},
    waiting::lasting,
};

use crate::site::{Node, Site, number};

const WRITERS: u64 = 12;

#[test]
fn every_committed_record_is_signed_however_late_it_became_visible() {
    let seconds = count("TEST_WRITING_SECONDS", 10) as u64;
    let mut random = Random::new();
    let site = Site::new(Cluster::shared(), "late", 6, 2048);
    // Small batches, so that the frontier passes by while the slow ones still write.
    let mut nodes: Vec<Node> = (0..3).map(|node| site.node(&format!("node_{node}"), "5")).collect();
    let until = Instant::now() + Duration::from_secs(seconds);
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let (url, random) = (site.url.clone(), random.another());
            thread::spawn(move || Writer { number, random, committed: Vec::new() }.write(&url, until))
        })
        .collect();
    let mut passed_by = 0;
    let (mut sql, late) = (site.admin(), "SELECT count(*) FROM gap");
    while Instant::now() < until {
        passed_by = passed_by.max(number(&mut sql, late));
        lasting(Duration::from_millis(50));
    }
    let committed: Vec<String> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
    site.wait_until_signed(Duration::from_secs(60 + 3 * seconds), &mut nodes.iter_mut().collect::<Vec<_>>());
    // No gap stays for ever: each costs a look at every batch that is formed.
    support::waiting::until("all gaps are closed", Duration::from_secs(10), || number(&mut sql, late) == 0);
    let records = site.check_all_signed(nodes);
    assert_eq!(records, committed.len() as i64, "what was rolled back is not there, what was committed is");
    for name in &committed {
        let signed = sql_query("SELECT 1 FROM signed_record WHERE external_id = $1").bind::<Text, _>(name);
        assert_eq!(signed.execute(&mut sql).unwrap(), 1, "{name}");
    }
    assert!(passed_by > 0, "no id was ever missing: this proves nothing");
    let moved = "SELECT count(*) FROM (SELECT last_record < max(last_record) OVER (ORDER BY id) AS late FROM batch) AS b WHERE late";
    let moved = number(&mut sql, moved);
    assert!(moved > 0, "no batch was formed of late records: this proves nothing");
    println!(
        "measured: {records} records by {WRITERS} writers, up to {passed_by} gaps, {moved} batches of late records"
    );
}

/// A program that inserts records in every way there is.
struct Writer {
    number: u64,
    random: Random,
    committed: Vec<String>,
}

impl Writer {
    fn write(mut self, url: &str, until: Instant) -> Vec<String> {
        let mut sql = PgConnection::establish(url).unwrap();
        for transaction in 0.. {
            if Instant::now() >= until {
                break;
            }
            self.transaction(&mut sql, &format!("{}-{transaction}", self.number));
            self.pause(20);
        }
        self.committed
    }

    fn transaction(&mut self, sql: &mut PgConnection, name: &str) {
        let mut names = Vec::new();
        sql.batch_execute("BEGIN").unwrap();
        for part in 0..=self.random.below(3) {
            self.insert(sql, &mut names, &format!("{name}-{part}"));
            if self.random.below(3) == 0 {
                // Rolled back within: its ids are gone, and its lock with them.
                sql.batch_execute("SAVEPOINT s").unwrap();
                self.insert(sql, &mut Vec::new(), &format!("{name}-{part}-rolled-back"));
                sql.batch_execute("ROLLBACK TO s").unwrap();
            }
            // One in ten takes long, so that hundreds of others pass it.
            let longest = if self.random.below(10) == 0 { 2000 } else { 60 };
            self.pause(longest);
        }
        if self.random.below(6) == 0 {
            sql.batch_execute("ROLLBACK").unwrap();
        } else {
            sql.batch_execute("COMMIT").unwrap();
            self.committed.extend(names);
        }
    }

    fn insert(&mut self, sql: &mut PgConnection, names: &mut Vec<String>, name: &str) {
        for i in 0..=self.random.below(4) {
            let name = format!("{name}-{i}");
            sql_query("INSERT INTO record (external_id, payload) VALUES ($1, $1::bytea)")
                .bind::<Text, _>(&name)
                .execute(sql)
                .unwrap();
            names.push(name);
        }
    }

    fn pause(&mut self, longest: u64) {
        self.random.moment(Duration::from_millis(longest));
    }
}
