//! What a server, a database or a role has set changes nothing: each connection sets what it depends on.

use signwave::{
    domain::CommitVerdict,
    store::{self, StoreError},
};
use support::{
    postgres::{Cluster, database_of},
    process::{command, succeed},
    store::{add_keys, add_records, lease, open_all, register, sign},
};

use crate::{Database, migrate, open, parse, run};

/// All that a store does, at least once.
fn work(url: &str) {
    let store = open(url);
    let before = store.status().unwrap().signed;
    if before == 0 {
        add_keys(&*store, 1);
    }
    add_records(&*store, 3);
    open_all(&*store, 3);
    let node = register(&*store);
    let batch = sign(lease(&*store, node, 1).remove(0));
    assert_eq!(store.commit(&[batch]).unwrap(), [CommitVerdict::Committed]);
    store.remove_node(node).unwrap();
    store.listener().unwrap();
    assert_eq!(store.status().unwrap().signed, before + 3);
    assert_eq!(store.counts().unwrap().signatures, before + 3);
}

#[test]
fn whatever_a_database_sets_it_works() {
    let url = Cluster::shared().database("set");
    let name = database_of(&url).to_owned();
    let mut admin = Cluster::shared().admin("postgres");
    let mut set = |settings: &[(&str, &str)]| {
        for (setting, value) in settings {
            run(&mut admin, &format!("ALTER DATABASE {name} SET {setting} = {value}"));
        }
    };
    set(&[
        ("statement_timeout", "'20ms'"),
        ("default_transaction_read_only", "on"),
        ("lock_timeout", "'1ms'"),
    ]);
    migrate(&url);
    work(&url);
    set(&[
        ("statement_timeout", "'1ms'"),
        ("default_transaction_isolation", "'serializable'"),
        ("default_transaction_deferrable", "on"),
        ("idle_in_transaction_session_timeout", "'1ms'"),
        ("standard_conforming_strings", "off"),
        ("backslash_quote", "off"),
        ("transform_null_equals", "on"),
        ("array_nulls", "off"),
        ("quote_all_identifiers", "on"),
        ("bytea_output", "'escape'"),
        ("extra_float_digits", "'-15'"),
        ("datestyle", "'German'"),
        ("intervalstyle", "'sql_standard'"),
        ("timezone", "'Pacific/Chatham'"),
        ("client_encoding", "'LATIN1'"),
        ("synchronous_commit", "off"),
        ("row_security", "off"),
        ("gin_fuzzy_search_limit", "1"),
        ("search_path", "nowhere"),
        ("jit_above_cost", "0"),
    ]);
    work(&url);
}

/// 400,000 records make `status`, `verify` and `export` take longer than the timeout; fewer do, where each
/// of their statements is slow for another reason.
#[test]
fn a_short_statement_timeout_stops_no_command() {
    let database = Database::new("timeout");
    run(
        &mut database.stranger(),
        "INSERT INTO record (payload) SELECT 'x' FROM generate_series(1, 100000); ANALYZE record",
    );
    run(
        &mut Cluster::shared().admin("postgres"),
        &format!("ALTER DATABASE {} SET statement_timeout = '5ms'", database_of(&database.url)),
    );
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["migrate"][..], &["status"], &["verify"], &["export"]] {
        let output = succeed(command(&[&["--database", &database.url], arguments].concat(), folder.path()));
        assert!(!String::from_utf8_lossy(&output.stderr).contains("busy"), "{output:?}");
    }
}

#[test]
fn a_setting_that_only_a_superuser_can_change_is_named() {
    let database = Database::new("superuser");
    let name = database_of(&database.url);
    run(&mut database.admin(), &format!("ALTER DATABASE {name} SET session_replication_role = replica"));
    let error = store::open(&parse(&database.url)).err().expect("it is refused");
    assert!(matches!(error, StoreError::Unusable(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains("session_replication_role is replica (from: database)"), "{text}");
}

#[test]
fn a_search_path_without_the_tables_is_named_with_the_schema_that_has_them() {
    let database = Database::new("path");
    let name = database_of(&database.url);
    run(
        &mut database.admin(),
        &format!("CREATE SCHEMA empty; ALTER DATABASE {name} SET search_path = empty"),
    );
    run(&mut database.admin(), "GRANT USAGE ON SCHEMA empty TO PUBLIC");
    let text = store::open(&parse(&database.url)).err().expect("it is refused").to_string();
    assert!(
        text.contains("search_path is 'empty' (from: database)") && text.contains("schema public has"),
        "{text}"
    );
    open(&format!("{}?options=-c%20search_path%3Dpublic", database.url)).status().unwrap();
}
