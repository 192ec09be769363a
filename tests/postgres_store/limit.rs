//! The limit of payloads, which the schema holds against whoever inserts.

use diesel::connection::SimpleConnection;
use signwave::store;
use support::store::open_all;

use crate::{Database, parse, run};

#[test]
fn a_payload_over_the_limit_is_refused_and_the_limit_can_be_set() {
    let database = Database::new("limit");
    let (url, mut stranger) = (parse(&database.url), database.stranger());
    let insert =
        |bytes: u32| format!("INSERT INTO record (payload) SELECT convert_to(repeat('x', {bytes}), 'UTF8')");
    assert_eq!(database.store.payload_limit().unwrap(), 16 << 20);
    assert!(
        stranger.batch_execute(&insert((16 << 20) + 1)).unwrap_err().to_string().contains("within_its_limit")
    );
    run(&mut stranger, &insert(16 << 20));
    run(&mut stranger, &insert(1000));

    // Below what is stored, which stays, and is batched like all others.
    store::set_payload_limit(&url, 100).unwrap();
    assert_eq!(database.store.payload_limit().unwrap(), 100);
    assert_eq!(database.store.audit().unwrap(), Vec::<String>::new());
    assert!(stranger.batch_execute(&insert(101)).is_err());
    assert!(stranger.batch_execute("SELECT signwave_submit('a', repeat('ü', 51))").is_err());
    run(&mut stranger, "SELECT signwave_submit('a', repeat('ü', 50))");
    assert_eq!(open_all(&*database.store, 10), 1);

    store::set_payload_limit(&url, 256 << 20).unwrap();
    run(&mut stranger, &insert((16 << 20) + 1));
    assert_eq!(database.store.audit().unwrap(), Vec::<String>::new());
}

#[test]
fn a_limit_that_is_gone_or_another_is_named() {
    for change in [
        "",
        ", ADD CONSTRAINT record_payload_is_within_its_limit CHECK (octet_length(payload) <= 5 OR id > 0)",
    ] {
        let database = Database::new("no_limit");
        run(
            &mut database.stranger(),
            &format!("ALTER TABLE record DROP CONSTRAINT record_payload_is_within_its_limit{change}"),
        );
        let problems = database.store.audit().unwrap();
        assert!(
            problems.iter().any(|problem| problem.contains("record_payload_is_within_its_limit")),
            "{change}: {problems:?}"
        );
        store::set_payload_limit(&parse(&database.url), 16 << 20).unwrap();
        assert_eq!(database.store.audit().unwrap(), Vec::<String>::new());
    }
}
