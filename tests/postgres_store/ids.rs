//! Ids that the database did not hand out one by one, upwards: refused, or found. None is missed.

use std::{thread, time::Duration};

use diesel::{PgConnection, connection::SimpleConnection};
use signwave::{domain::promises::check_counts, store};
use support::store::open_all;

use crate::{Database, lines, parse, run};

const ONE: &str = "INSERT INTO record (payload) VALUES ('x')";

fn chosen(id: i64) -> String {
    format!("INSERT INTO record (id, payload) OVERRIDING SYSTEM VALUE VALUES ({id}, 'chosen')")
}

fn refusal(connection: &mut PgConnection, sql: &str) -> String {
    let error = connection.batch_execute(sql).expect_err(sql).to_string();
    assert!(error.contains("signwave: "), "{sql}: {error}");
    error
}

/// Batches are formed until nothing waits; then each record is in one of them, and nothing says otherwise.
fn all_are_batched(database: &Database, after: &str) {
    let store = &*database.store;
    while open_all(store, 10) > 0 {}
    let counts = store.counts().unwrap();
    assert_eq!((counts.unbatched, counts.in_batches), (0, counts.records), "{after}: {:?}", database.runs());
    assert!(check_counts(counts).is_empty(), "{after}: {counts:?}");
    assert_eq!(store.status().unwrap().unbatched, 0, "{after}");
}

/// Records 1 to 9 without 4 and 7, all in batches.
fn with_holes() -> Database {
    let database = Database::new("holes");
    let mut stranger = database.stranger();
    for id in 1..=9 {
        run(
            &mut stranger,
            &if [4, 7].contains(&id) { format!("BEGIN; {ONE}; ROLLBACK") } else { ONE.to_owned() },
        );
    }
    all_are_batched(&database, "at first");
    database
}

const TTL: Duration = Duration::from_secs(30);

#[test]
fn an_id_that_somebody_chose_is_refused_and_those_after_it_are_signed() {
    let database = with_holes();
    let mut stranger = database.stranger();
    for id in [i64::MAX, i64::MAX - 1, 1_000_000, 10, 7, 4, 0, -1, i64::MIN] {
        let error = refusal(&mut stranger, &chosen(id));
        assert!(error.contains("leave the column id out"), "{error}");
        refusal(&mut database.admin(), &chosen(id));
        run(&mut stranger, ONE);
        all_are_batched(&database, &chosen(id));
    }
    refusal(
        &mut stranger,
        "INSERT INTO record (id, payload) OVERRIDING SYSTEM VALUE \
         SELECT nextval('record_id_seq') + (i / 9) * 5000, 'x' FROM generate_series(1, 9) AS i",
    );
    run(&mut stranger, "INSERT INTO record (id, payload) OVERRIDING USER VALUE VALUES (7, 'x')");
    all_are_batched(&database, "at the end");
    // A row that the triggers never saw is held back by a constraint, if readers could not pass it.
    let error = database
        .admin()
        .batch_execute(&format!("SET session_replication_role = replica; {}", chosen(i64::MAX)));
    assert!(error.unwrap_err().to_string().contains("record_id_check"));
}

#[test]
fn whatever_is_done_to_the_sequence_no_record_is_missed() {
    for change in [
        "SELECT setval('record_id_seq', 3)",
        "SELECT setval('record_id_seq', 6)",
        "SELECT setval('record_id_seq', 8, false)",
        "SELECT setval('record_id_seq', 5000)",
        "ALTER TABLE record ALTER id RESTART WITH 4",
        "ALTER TABLE record ALTER id RESTART WITH 7000",
        "ALTER TABLE record ALTER id SET INCREMENT -1",
        "ALTER TABLE record ALTER id SET INCREMENT 7",
        "ALTER TABLE record ALTER id SET MAXVALUE 12 SET CYCLE",
        "ALTER TABLE record ALTER id SET CACHE 50",
        "SELECT setval('record_id_seq', 5000); INSERT INTO record (payload) VALUES ('x'); \
         SELECT setval('record_id_seq', 20)",
    ] {
        let database = with_holes();
        let (mut one, mut other) = (database.stranger(), database.stranger());
        run(&mut one, change);
        let mut refused = String::new();
        for round in 0..8 {
            for connection in [&mut one, &mut other] {
                if let Err(error) = connection.batch_execute(ONE) {
                    let error = error.to_string();
                    let plain = ["duplicate key", "reached minimum value", "reached maximum value"];
                    if error.contains("signwave: ") {
                        refused = error;
                    } else {
                        assert!(plain.iter().any(|text| error.contains(text)), "{change}: {error}");
                    }
                }
                if round % 3 == 0 {
                    all_are_batched(&database, change);
                }
            }
        }
        all_are_batched(&database, change);
        // The statements that an error names mend it.
        if let Some((_, mend)) = refused.split_once("mend it with ") {
            for statement in mend.split(" and ") {
                run(&mut one, statement);
            }
            let before = database.store.counts().unwrap().records;
            run(&mut one, ONE);
            run(&mut database.stranger(), ONE);
            all_are_batched(&database, change);
            assert_eq!(database.store.counts().unwrap().records, before + 2, "{change}");
        }
    }
}

#[test]
fn a_sequence_that_was_changed_is_named_at_the_start_with_what_mends_it() {
    for change in [
        "ALTER TABLE record ALTER id SET CACHE 50",
        "ALTER TABLE record ALTER id SET INCREMENT -1",
        "ALTER TABLE record ALTER id SET INCREMENT 2",
        "ALTER TABLE record ALTER id SET MAXVALUE 100",
        "ALTER TABLE record ALTER id SET CYCLE",
        "SELECT setval('record_id_seq', 3)",
        "ALTER TABLE record ALTER id RESTART WITH 9",
    ] {
        let database = with_holes();
        run(&mut database.stranger(), change);
        let started = || {
            store::open(&parse(&database.url)).unwrap().register_node(
                "late",
                TTL,
                &signwave::domain::Reach::default(),
            )
        };
        let error = started().expect_err(change).to_string();
        let problems = database.store.audit().unwrap();
        assert!(problems.contains(&error), "{change}: {problems:?}");
        let (_, mend) = error.rsplit_once(": ").unwrap();
        run(&mut database.stranger(), mend);
        assert_eq!(database.store.audit().unwrap(), Vec::<String>::new(), "{change}");
        started().expect(change);
        run(&mut database.stranger(), ONE);
        all_are_batched(&database, change);
    }
    let database = with_holes();
    run(&mut database.stranger(), "ALTER TABLE record ALTER id RESTART WITH 10");
    database.store.register_node("in time", TTL, &signwave::domain::Reach::default()).unwrap();
}

#[test]
fn an_id_that_was_kept_is_taken_from_whom_its_gap_waits_for_and_from_nobody_else() {
    let database = Database::new("kept");
    let (store, mut early, mut kept, mut writer) =
        (&*database.store, database.stranger(), database.stranger(), database.stranger());
    run(&mut kept, "SELECT nextval('record_id_seq')");
    run(&mut writer, &format!("BEGIN; {ONE}; SELECT nextval('record_id_seq')"));
    run(&mut early, ONE);
    assert_eq!(open_all(store, 10), 1);
    refusal(&mut kept, &chosen(1));
    run(&mut writer, &format!("SAVEPOINT s; {}", chosen(3)));
    run(&mut writer, "COMMIT");
    all_are_batched(&database, "kept");
    assert_eq!(database.runs(), ["4", "2-3"]);
}

#[test]
fn a_snapshot_that_cannot_tell_is_told_to_run_again() {
    let database = Database::new("snapshot");
    let (mut early, mut late) = (database.stranger(), database.stranger());
    run(&mut late, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT nextval('record_id_seq')");
    run(&mut early, ONE);
    assert_eq!(open_all(&*database.store, 10), 1);
    assert!(refusal(&mut late, &chosen(1)).contains("run it again"));
    // What is drawn later is above the frontier, whatever the snapshot.
    run(
        &mut late,
        &format!("ROLLBACK; BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM record; {ONE}"),
    );
    run(&mut early, ONE);
    all_are_batched(&database, "beside a snapshot");
    run(&mut late, &format!("{ONE}; COMMIT"));
    all_are_batched(&database, "after it");
}

#[test]
fn who_inserts_below_a_frontier_that_is_not_committed_waits_for_it() {
    let database = Database::new("in_progress");
    let mut forming = database.admin();
    run(&mut forming, "BEGIN; LOCK TABLE gap IN ROW EXCLUSIVE MODE; SELECT setval('signwave_frontier', 5)");
    let mut stranger = database.stranger();
    let inserting = thread::spawn(move || run(&mut stranger, ONE));
    let waiting = "SELECT 'yes' AS line FROM pg_locks WHERE relation = 'gap'::regclass AND NOT granted";
    while lines(&mut forming, waiting).is_empty() {
        thread::yield_now();
        assert!(!inserting.is_finished());
    }
    run(&mut forming, "ROLLBACK");
    inserting.join().unwrap();
    all_are_batched(&database, "after a rollback");
}
