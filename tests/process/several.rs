//! Several processes on one database.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use diesel::{RunQueryDsl, sql_query, sql_types::BigInt};
use support::{
    site::{Site, number},
    waiting::{timely, until},
};

#[derive(diesel::QueryableByName)]
struct Value {
    #[diesel(sql_type = BigInt)]
    record_id: i64,
    #[diesel(sql_type = diesel::sql_types::Binary)]
    value: Vec<u8>,
}

#[test]
fn two_processes_sign_one_database_and_share_no_record_and_no_key() {
    // More keys than one process may hold, fewer than both want.
    let site = Site::new(40, 2048, 8000);
    let mut serve = site.spawn("serve", &["serve", "--batch-size", "20", "--node-name", "one"]);
    let mut sign = site.spawn("sign", &["sign", "--batch-size", "20", "--node-name", "two"]);
    let mut sql = site.sql();
    let (mut looks, mut together, mut seen) = (0, 0, HashMap::new());
    while sign.is_running() {
        looks += 1;
        let doubles = "SELECT count(*) FROM (SELECT key_id FROM batch WHERE state = 'leased' GROUP BY 1 HAVING count(*) > 1)";
        assert_eq!(number(&mut sql, doubles), 0, "a key is in two batches at once");
        let nodes = "SELECT count(DISTINCT node_id) FROM batch WHERE state = 'leased'";
        together += i64::from(number(&mut sql, nodes) == 2);
        // What was shown once must be what is stored for ever.
        let values: Vec<Value> =
            sql_query("SELECT record_id, value FROM signature ORDER BY random() LIMIT 50")
                .load(&mut sql)
                .unwrap();
        for Value { record_id, value } in values {
            assert_eq!(*seen.entry(record_id).or_insert_with(|| value.clone()), value, "record {record_id}");
        }
    }
    println!("measured: {looks} looks, in {together} of which both processes held batches");
    assert!(together > 0, "the two never worked at the same time: this proves nothing");
    assert_eq!(sign.wait(Duration::from_secs(1)), Some(0), "{}", sign.log());
    until("the rest is signed", Duration::from_secs(20), || {
        number(&mut sql, "SELECT count(*) FROM signature") == 8000
    });
    serve.signal(rustix::process::Signal::TERM);
    assert_eq!(serve.wait(Duration::from_secs(5)), Some(0));
    let stored = number(&mut sql, "SELECT sum(signature_count) FROM signing_key");
    assert_eq!(stored, 8000, "each record was stored once");
    site.check_all_signed();
}

#[test]
fn records_inserted_with_plain_sql_are_signed_within_a_second() {
    let site = Site::new(2, 2048, 0);
    let _serve = site.spawn("serve", &["serve"]);
    let mut sql = site.sql();
    until("it serves", Duration::from_secs(10), || number(&mut sql, "SELECT count(*) FROM node") == 1);
    let mut sign = || {
        let insert = std::process::Command::new("sqlite3")
            .arg(site.path("signwave.db"))
            .arg("PRAGMA busy_timeout = 60000; INSERT INTO record (payload) VALUES ('plain text')")
            .output()
            .expect("the sqlite3 command is there");
        assert!(insert.status.success(), "{insert:?}");
        let begun = Instant::now();
        until("it is signed", Duration::from_secs(20), || {
            number(&mut sql, "SELECT count(*) = (SELECT count(*) FROM record) FROM signed_record") == 1
        });
        begun.elapsed()
    };
    for _ in 1..=5 {
        timely("a record is signed", Duration::from_secs(1), &mut sign);
    }
}
