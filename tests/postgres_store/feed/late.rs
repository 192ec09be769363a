//! Committers whose COMMITs take long, in any order, and readers that poll beside them: one that reads the feed, and ones
//! that go on behind the highest time or id that they saw. Those lose signatures, which shows that this test can see it.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst},
    thread::scope,
    time::Duration,
};

use diesel::{PgConnection, RunQueryDsl, sql_query};
use signwave::{
    domain::{Outcome, Place, SignedBatch},
    store::{Store, StoreError},
};
use support::{
    promises::Promises,
    random::{Random, count},
    store::{add_keys, add_records, lease, open_all, register, sign},
    waiting::lasting,
};

use crate::{Database, Line, lines, run};

const COMMITTERS: u8 = 8;
/// Sequencers, which give positions to what the committers have stored.
const SEQUENCERS: usize = 2;
/// How many batches each committer leases at a time.
const LEASES: usize = 8;
/// How often each reader and each sequencer looks.
const POLL: Duration = Duration::from_millis(5);
/// The signatures of a batch are stored, and its row is written, up to a second before the COMMIT, 5 ms on average. The
/// last step, the entry of the ledger, comes after that, because each commit waits there for the one before it. The indexes
/// are for the readers that do not read the feed.
const DELAY: &str = "CREATE INDEX by_time ON batch (signed_at) WHERE state = 'signed'; \
     CREATE INDEX by_id ON batch (id) WHERE state = 'signed'; \
     CREATE FUNCTION wait_before_commit() RETURNS trigger LANGUAGE plpgsql AS \
     $$BEGIN PERFORM pg_sleep(random() ^ 199); RETURN NULL; END$$; \
     CREATE TRIGGER wait_before_commit AFTER UPDATE ON batch \
     FOR EACH ROW WHEN (NEW.state = 'signed') EXECUTE FUNCTION wait_before_commit()";

#[test]
fn readers_of_the_feed_miss_nothing_that_cursors_over_times_and_ids_lose() {
    let batches = count("TEST_FEED_BATCHES", 300);
    let database = Database::new("feed_late");
    add_keys(&*database.store, COMMITTERS * LEASES as u8);
    add_records(&*database.store, batches);
    open_all(&*database.store, 1);
    run(&mut database.admin(), DELAY);
    let (is_over, kills, mut random) = (AtomicBool::new(false), AtomicI64::new(0), Random::new());
    let [feed, by_time, by_id] = scope(|scope| {
        let readers = [
            scope.spawn(|| read_feed(&*crate::open(&database.url), &is_over)),
            scope.spawn(|| read_behind("signed_at", &mut database.stranger(), &is_over)),
            scope.spawn(|| read_behind("id", &mut database.stranger(), &is_over)),
        ];
        let committers: Vec<_> = (0..COMMITTERS).map(|_| scope.spawn(|| commit_all(&database))).collect();
        let sequencers =
            [(); SEQUENCERS].map(|()| scope.spawn(|| sequence_all(&*crate::open(&database.url), &is_over)));
        let seed = random.another();
        let killer = scope.spawn(|| kill_sequencers(&database, &is_over, &kills, seed));
        committers.into_iter().for_each(|committer| committer.join().unwrap());
        is_over.store(true, SeqCst);
        sequencers.into_iter().for_each(|sequencer| sequencer.join().unwrap());
        killer.join().unwrap();
        readers.map(|reader| reader.join().unwrap())
    });
    let (all, kills) = ((1..=batches as i64).collect::<BTreeSet<_>>(), kills.load(SeqCst));
    let lost = |seen: &[i64]| all.difference(&seen.iter().copied().collect()).count();
    println!(
        "{batches} batches, {kills} sequencers killed; lost behind signed_at: {}, behind the id: {}, by the feed: {}",
        lost(&by_time),
        lost(&by_id),
        lost(&feed)
    );
    assert_eq!((feed.len(), lost(&feed)), (batches, 0));
    assert!(lost(&by_time) > 0 && lost(&by_id) > 0, "this test cannot see what it must not see in the feed");
    assert!(kills > 0, "no sequencer was killed");
    let now: Vec<_> = database.store.feed(Place(0), usize::MAX).unwrap();
    assert!(now.iter().map(|row| row.batch.id.0).eq(feed), "what was read at a position has not changed");
    run(
        &mut database.admin(),
        "DROP INDEX by_time, by_id; DROP TRIGGER wait_before_commit ON batch; DROP FUNCTION wait_before_commit",
    );
    Promises::default().check(&*database.store);
}

/// A node with separate connections.
fn commit_all(database: &Database) {
    let store = &*crate::open(&database.url);
    let node = register(store);
    loop {
        let signed: Vec<_> = lease(store, node, LEASES).into_iter().map(sign).collect();
        if signed.is_empty() && store.status().unwrap().batches.open == 0 {
            return;
        }
        for batch in signed {
            commit(store, &[batch]);
        }
    }
}

/// Gives positions to what was committed, again and again, as a service does beside its commits.
fn sequence_all(store: &dyn Store, is_over: &AtomicBool) {
    while !is_over.load(SeqCst) {
        // A sequencer that was killed has its work done by the next one.
        match store.sequence() {
            Ok(_) | Err(StoreError::UnknownOutcome(_) | StoreError::Unavailable(_)) => {}
            Err(error) => panic!("{error}"),
        }
        lasting(POLL);
    }
}

fn commit(store: &dyn Store, signed: &[SignedBatch]) {
    let sent: Vec<_> = signed.iter().map(|batch| (batch.lease().batch(), batch.lease().epoch())).collect();
    loop {
        match store.commit(signed) {
            Ok(_) => return,
            Err(StoreError::UnknownOutcome(_) | StoreError::Unavailable(_)) => {}
            Err(error) => panic!("{error}"),
        }
        if store.outcomes(&sent).is_ok_and(|outcomes| !outcomes.contains(&Outcome::NotStored)) {
            return;
        }
    }
}

/// The batches as a reader of the feed sees them, in its order.
fn read_feed(store: &dyn Store, is_over: &AtomicBool) -> Vec<i64> {
    let (mut seen, mut after) = (Vec::new(), Place(0));
    loop {
        let was_over = is_over.load(SeqCst);
        let end = match store.sequence() {
            Err(StoreError::UnknownOutcome(_) | StoreError::Unavailable(_)) => continue,
            end => end.unwrap().last,
        };
        let page = store.feed(after, usize::MAX).unwrap();
        for row in &page {
            assert_eq!(row.place, after.next(), "positions are dense");
            after = row.place;
            seen.push(row.batch.id.0);
        }
        assert!(after >= end);
        if was_over && page.is_empty() {
            return seen;
        }
        lasting(POLL);
    }
}

/// The batches as somebody sees them who goes on behind the highest value of a column.
fn read_behind(column: &str, connection: &mut PgConnection, is_over: &AtomicBool) -> Vec<i64> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let was_over = is_over.load(SeqCst);
        let behind = after.as_ref().map_or(String::new(), |after| format!("AND {column} > '{after}'"));
        let query = format!(
            "SELECT id || ' ' || {column} AS line FROM batch WHERE state = 'signed' {behind} ORDER BY {column}"
        );
        let page = lines(connection, &query);
        for line in &page {
            let (id, value) = line.split_once(' ').unwrap();
            seen.push(id.parse().unwrap());
            after = Some(value.to_owned());
        }
        if was_over && page.is_empty() {
            return seen;
        }
        lasting(POLL);
    }
}

/// Ends the server process of a sequencer, now and then, wherever in its transaction it is.
fn kill_sequencers(database: &Database, is_over: &AtomicBool, kills: &AtomicI64, mut random: Random) {
    let mut admin = database.admin();
    while !is_over.load(SeqCst) {
        let query = "SELECT pg_terminate_backend(pid)::text AS line FROM pg_locks \
             WHERE relation = 'sequencing_turn'::regclass AND granted";
        let killed = sql_query(query).load::<Line>(&mut admin).unwrap();
        let killed = killed.iter().filter(|line| line.line == "true").count();
        kills.fetch_add(killed as i64, SeqCst);
        random.moment(if killed > 0 { Duration::from_millis(400) } else { POLL });
    }
}
