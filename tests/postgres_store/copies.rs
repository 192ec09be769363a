//! Copies of a database in use, and databases with settings of their own: what is found in them is what is there.

use std::{
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use signwave::{
    domain::{Place, Reach, RecordId},
    store::{self, Store},
};
use support::{
    postgres::{Cluster, USER, database_of},
    promises::Promises,
    store::{MINUTE, add_keys, add_records, lease, open_all, register, sign},
    waiting::until,
};

use crate::{lines, migrate, open, parse, run};

/// Copies one database of a user's into another, empty one, as `pg_dump .. | psql ..` does.
pub fn dump_into(from: &str, to: &str, options: &[&str]) {
    let mut dump = Command::new("pg_dump")
        .args(options)
        .arg(from)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = Command::new("psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", to])
        .stdin(dump.stdout.take().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    // Dumps of one version set what older ones do not know.
    assert!(output.status.success(), "{said}");
    assert!(dump.wait().unwrap().success());
}

/// Runs a script of `packaging/` as it says: by psql, as a superuser.
fn script(cluster: &Cluster, database: &str, name: &str) -> Result<(), String> {
    let output = Command::new("psql")
        .args(["-X", "-q", "-f"])
        .arg(format!("{}/packaging/{name}", env!("CARGO_MANIFEST_DIR")))
        .args(["-d", &local(cluster, database)])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

fn local(cluster: &Cluster, database: &str) -> String {
    format!("host={} port={} user=postgres dbname={database}", cluster.folder().display(), cluster.port())
}

/// Every promise of a store whose signatures are made up, and what its database finds in itself.
pub fn check(store: &dyn Store) {
    Promises::verified_by(|_| true).check(store);
}

/// Signs all that waits.
pub fn sign_all(store: &dyn Store) {
    open_all(store, 2);
    let node = register(store);
    loop {
        let signed: Vec<_> = lease(store, node, 2).into_iter().map(sign).collect();
        if signed.is_empty() {
            break;
        }
        store.commit(&signed).unwrap();
    }
    store.remove_node(node).unwrap();
}

#[test]
fn a_dump_that_was_made_and_restored_while_records_were_signed_is_sound() {
    let cluster = Cluster::shared();
    let url = cluster.database("in_use");
    migrate(&url);
    let store = open(&url);
    add_keys(&*store, 3);
    add_records(&*store, 20);
    sign_all(&*store);
    let stop = AtomicBool::new(false);
    let copies: Vec<String> = thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                add_records(&*store, 6);
                sign_all(&*store);
            }
        });
        let copies = (0..3).map(|_| {
            let copy = cluster.database("copy");
            dump_into(&url, &copy, &[]);
            copy
        });
        let copies = copies.collect();
        stop.store(true, Relaxed);
        copies
    });
    for copy in copies {
        let store = open(&copy);
        check(&*store);
        // It goes on from there, once the leases that were alive at that moment have run out.
        run(
            &mut cluster.admin(database_of(&copy)),
            "UPDATE node SET lease_until = clock_timestamp() - interval '1 day'",
        );
        store.reclaim(None, Duration::ZERO).unwrap();
        add_records(&*store, 3);
        sign_all(&*store);
        check(&*store);
        assert_eq!(store.status().unwrap().unbatched, 0);
    }
}

#[test]
fn settings_and_names_change_nothing_in_what_is_found() {
    let cluster = Cluster::shared();
    for (setting, schema) in [
        ("standard_conforming_strings = off", "public"),
        ("quote_all_identifiers = on", "public"),
        ("bytea_output = escape", "Odd schema"),
        ("quote_all_identifiers = on", "we\"ird.x"),
        ("intervalstyle = sql_standard", "it's"),
        ("extra_float_digits = 0", "back\\slash"),
        ("array_nulls = off", "select"),
        ("datestyle = 'German'", "%I$1"),
    ] {
        let url = cluster.database("settings");
        let database = database_of(&url).to_owned();
        let quoted = schema.replace('"', "\"\"");
        let mut admin = cluster.admin(&database);
        run(&mut admin, &format!("ALTER DATABASE {database} SET {setting}"));
        run(&mut admin, &format!("CREATE SCHEMA IF NOT EXISTS \"{quoted}\""));
        run(&mut admin, &format!("ALTER SCHEMA \"{quoted}\" OWNER TO {USER}"));
        if schema != "public" {
            run(&mut admin, &format!("ALTER DATABASE {database} SET search_path = \"{quoted}\""));
        }
        migrate(&url);
        let store = open(&url);
        add_keys(&*store, 1);
        add_records(&*store, 3);
        sign_all(&*store);
        check(&*store);
    }
}

/// All that the origin holds has arrived.
fn catch_up(origin: &dyn Store, copy: &dyn Store) {
    let counts = |store: &dyn Store| {
        let counts = store.counts().unwrap();
        (counts.records, counts.signatures, store.status().unwrap().nodes.len())
    };
    until("all has arrived", MINUTE, || counts(origin) == counts(copy));
}

#[test]
fn a_copy_by_logical_replication_to_a_newer_version_takes_over() {
    let (origin, target) =
        (Cluster::start_with("wal_level = logical\nfsync = off"), Cluster::of_version(18, "fsync = off"));
    let (from, to) = (origin.database("origin"), target.database("copy"));
    let (from_name, to_name) = (database_of(&from), database_of(&to));
    migrate(&from);
    let old = open(&from);
    add_keys(&*old, 3);
    add_records(&*old, 20);
    sign_all(&*old);

    run(&mut origin.admin(from_name), "CREATE PUBLICATION signwave FOR ALL TABLES");
    dump_into(&from, &to, &["--schema-only", "--no-publications"]);
    script(&target, to_name, "subscriber.sql").unwrap();
    let connection = local(&origin, from_name).replace('\'', "''");
    let subscribe = format!("CREATE SUBSCRIPTION signwave CONNECTION '{connection}' PUBLICATION signwave");
    run(&mut target.admin(to_name), &subscribe);
    until("the migrations have arrived", MINUTE, || store::open(&parse(&to)).is_ok());
    let new = open(&to);
    add_records(&*old, 7);
    sign_all(&*old);
    let node = register(&*old);
    catch_up(&*old, &*new);

    // A reader of the copy leaves the numbering to the origin. What it gave would collide with what arrives.
    let is_same = || new.unsequenced().unwrap() == old.unsequenced().unwrap();
    until("the copy knows what waits for a position", MINUTE, is_same);
    assert!(!new.unsequenced().unwrap().is_empty());
    assert_eq!(new.sequence().unwrap().last, Place(0));
    let end = old.sequence().unwrap();
    until("the positions have arrived", MINUTE, || new.sequence().unwrap() == end);

    // A copy says that it is one, and nothing is signed in it.
    let problems = new.audit().unwrap();
    assert!(
        problems[0].contains("a copy that logical replication feeds (subscription 'signwave')"),
        "{problems:#?}"
    );
    assert!(problems[1].contains("are enabled 'origin', expected 'always'"), "{problems:#?}");
    assert_eq!(problems.len(), 2, "{problems:#?}");
    let refusal = || new.register_node("n", MINUTE, &Reach::default()).unwrap_err().to_string();
    assert!(refusal().contains("stop signing at its origin"), "{}", refusal());
    let error = script(&target, to_name, "subscriber.sql").unwrap_err();
    assert!(error.contains("use an empty database for the copy"), "{error}");
    let error = script(&target, to_name, "promote.sql").unwrap_err();
    assert!(error.contains("DROP SUBSCRIPTION first"), "{error}");
    run(&mut target.admin(to_name), "DROP SUBSCRIPTION signwave");
    assert!(refusal().contains("run packaging/promote.sql"), "{}", refusal());
    let error = script(&target, to_name, "promote.sql").unwrap_err();
    assert!(error.contains("a node was at work at the origin"), "{error}");

    // It was stopped in order, before the copy ended; here its row is taken away by hand.
    old.remove_node(node).unwrap();
    run(&mut target.admin(to_name), &format!("DELETE FROM node WHERE id = {node}"));
    script(&target, to_name, "promote.sql").unwrap();
    check(&*new);
    let last = lines(&mut origin.admin(from_name), "SELECT max(id)::text AS line FROM record").remove(0);
    assert_eq!(add_records(&*new, 1), [RecordId(last.parse::<i64>().unwrap() + 1)]);
    sign_all(&*new);
    check(&*new);
}
