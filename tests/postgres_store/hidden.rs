//! Records that a query does not show must not count as gone: an error, never silence.

use signwave::store::{self, OpenBatches, StoreError};
use support::{
    postgres::database_of,
    store::{add_keys, add_records, register},
};

use crate::{Database, open, parse, run};

/// What a service may do.
const RIGHTS: &str = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO ROLE; \
    GRANT INSERT, UPDATE, DELETE ON batch, gap, node, signature, opening_turn, leasing_turn TO ROLE; \
    GRANT UPDATE ON SEQUENCE signwave_frontier TO ROLE";

const POLICY: &str = include_str!("../fixtures/postgres/row-level-security.sql");

fn unusable(url: &str) -> String {
    match store::open(&parse(url)) {
        Err(StoreError::Unusable(why)) => why,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[test]
fn row_level_security_that_hides_records_is_an_error_at_the_start() {
    let database = Database::new("policy");
    let (role, url) = database.role(RIGHTS);
    open(&url).status().unwrap();
    run(&mut database.admin(), POLICY);
    let why = unusable(&url);
    assert!(why.contains("row-level security hides rows of table record") && why.contains(&role), "{why}");
    let error = store::open_to_read(&parse(&url)).err().expect("nor to read").to_string();
    assert!(error.contains("row-level security"), "{error}");
    // Its owner sees all, unless that is forced, too.
    assert_eq!(open(&database.url).status().unwrap().unbatched, 30);
    run(&mut database.admin(), "ALTER TABLE record FORCE ROW LEVEL SECURITY");
    assert!(unusable(&database.url).contains("row-level security"));
}

#[test]
fn row_level_security_that_is_switched_on_under_a_service_is_an_error_and_not_an_end_of_the_work() {
    let database = Database::new("later");
    let (_, url) = database.role(RIGHTS);
    let store = open(&url);
    add_records(&*database.store, 3);
    run(&mut database.admin(), POLICY);
    let all = OpenBatches { batch_size: 10, keep_open: 9, partial: true };
    for error in
        [store.open_batches(all).unwrap_err(), store.status().unwrap_err(), store.counts().unwrap_err()]
    {
        assert!(matches!(&error, StoreError::Unusable(why) if why.contains("row-level security")), "{error}");
        assert!(!error.is_outage());
    }
    run(&mut database.admin(), "ALTER TABLE record DISABLE ROW LEVEL SECURITY");
    assert_eq!(store.open_batches(all).unwrap().opened, 4);
}

#[test]
fn what_is_no_ordinary_table_is_refused() {
    for (change, why) in [
        (
            "ALTER TABLE gap RENAME TO all_gaps; CREATE VIEW gap AS SELECT * FROM all_gaps",
            "gap is not an ordinary table",
        ),
        (
            "ALTER TABLE record RENAME TO all_records; CREATE VIEW record AS SELECT * FROM all_records WHERE id > 7",
            "record is not an ordinary table",
        ),
        ("ALTER TABLE gap SET UNLOGGED", "gap is not an ordinary table"),
        ("CREATE RULE mine AS ON INSERT TO signature DO INSTEAD NOTHING", "table signature has a rule"),
        ("CREATE TABLE more () INHERITS (record)", "table record inherits"),
        ("DROP TABLE gap", "there is no table gap"),
    ] {
        let database = Database::new("kinds");
        run(&mut database.stranger(), change);
        let error = unusable(&database.url);
        assert!(error.contains(why), "{change}: {error}");
    }
}

#[test]
fn a_temporary_table_or_one_of_another_schema_does_not_stand_before_the_real_one() {
    let database = Database::new("shadows");
    let name = database_of(&database.url).to_owned();
    add_records(&*database.store, 2);
    // The other schema comes first for whoever connects from now on, and has one of the names.
    run(
        &mut database.admin(),
        &format!(
            "CREATE SCHEMA other; CREATE TABLE other.gap (LIKE gap); GRANT USAGE ON SCHEMA other TO PUBLIC; \
             ALTER DATABASE {name} SET search_path = other, public"
        ),
    );
    let store = open(&database.url);
    assert_eq!(store.status().unwrap().unbatched, 2);
    add_keys(&*store, 1);
    register(&*store);
    assert_eq!(support::store::open_all(&*store, 1), 2);
    run(&mut database.admin(), "CREATE TABLE other.record (LIKE record)");
    assert_eq!(open(&database.url).status().unwrap().open, 2);
}
