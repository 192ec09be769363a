//! What the schema refuses, whoever asks: the owner of the tables, and a superuser who says that he
//! only replays what happened elsewhere.

use diesel::connection::SimpleConnection;
use signwave::domain::{Reach, Scheme};
use support::{
    postgres::{Cluster, USER, database_of},
    store::{MINUTE, add_keys, add_records, open_all, register, sign},
};

use crate::{Database, changes::CHANGES, lines, open, run};

/// Records 1 to 9: batch 1 (1-2) signed, batch 2 (3-4) leased, batches 3 to 5 open.
fn database() -> Database {
    let database = Database::new("guards");
    let store = &*database.store;
    add_keys(store, 3);
    add_records(store, 9);
    open_all(store, 2);
    let node = register(store);
    let lease = store.lease(node, Scheme::Ps256, 2, &Reach::default()).unwrap().remove(0);
    store.commit(&[sign(lease)]).unwrap();
    database
}

/// `because` is part of the message, so that no statement is refused for another reason.
fn refuses(database: &Database, because: &str, statements: &[&str]) {
    refuses_as(database, because, statements, dump);
}

/// The same; `dump` shows what must not change.
pub fn refuses_as(
    database: &Database,
    because: &str,
    statements: &[&str],
    dump: fn(&Database) -> Vec<String>,
) {
    for sql in statements {
        for always in ["", "SET session_replication_role = replica; "] {
            let mut connection = if always.is_empty() { database.stranger() } else { database.admin() };
            let before = dump(database);
            let error = connection.batch_execute(&format!("{always}{sql}")).expect_err(sql).to_string();
            assert!(error.contains(because), "{sql}: {error}");
            assert_eq!(dump(database), before, "{sql}");
        }
    }
}

fn dump(database: &Database) -> Vec<String> {
    let all = "SELECT 'record ' || record::text AS line FROM record UNION ALL \
               SELECT 'key ' || signing_key::text FROM signing_key UNION ALL \
               SELECT 'batch ' || batch::text FROM batch UNION ALL \
               SELECT 'signature ' || signature::text FROM signature UNION ALL \
               SELECT 'node ' || node::text FROM node ORDER BY 1";
    lines(&mut database.admin(), all)
}

#[test]
fn records_and_signatures_are_written_once() {
    let database = database();
    refuses(
        &database,
        "a record cannot be changed",
        &["UPDATE record SET payload = 'x'", "UPDATE record SET external_id = 'x' WHERE id = 9"],
    );
    refuses(&database, "a record cannot be deleted", &["DELETE FROM record WHERE id = 9", "TRUNCATE record"]);
    refuses(
        &database,
        "a signature cannot be changed",
        &[
            "UPDATE signature SET value = 'x' WHERE record_id = 1",
            "INSERT INTO signature VALUES (1, 1, 'x') ON CONFLICT (record_id) DO UPDATE SET value = 'x'",
        ],
    );
    refuses(
        &database,
        "a signature cannot be deleted",
        &["DELETE FROM signature", "TRUNCATE signature", "TRUNCATE signature CASCADE"],
    );
}

#[test]
fn signatures_are_stored_by_the_batch_while_it_is_leased() {
    let database = database();
    refuses(
        &database,
        "stored once, together, while it is leased",
        &[
            "INSERT INTO signature VALUES (3, 2, 'x')",
            "INSERT INTO signature VALUES (3, 2, 'x'), (5, 2, 'x')",
            "INSERT INTO signature VALUES (5, 3, 'x'), (6, 3, 'x')",
            "INSERT INTO signature VALUES (99, 1, 'x')",
            "INSERT INTO signature VALUES (99, 99, 'x')",
            "CREATE TEMP TABLE batch AS SELECT 3::bigint AS id, 'leased' AS state, 5::bigint AS first_record, \
             6::bigint AS last_record, 2::bigint AS record_count; \
             INSERT INTO signature VALUES (5, 3, 'x'), (6, 3, 'x')",
        ],
    );
    refuses(&database, "signature_pkey", &["INSERT INTO signature VALUES (1, 2, 'x'), (4, 2, 'x')"]);
    refuses(&database, "signature_value_check", &["INSERT INTO signature VALUES (3, 2, ''), (4, 2, 'x')"]);
    run(&mut database.stranger(), "INSERT INTO signature VALUES (3, 2, 'x'), (4, 2, 'x')");
}

#[test]
fn a_batch_is_leased_only_within_the_limits_of_its_key() {
    let database = database();
    let lease = "UPDATE batch SET state = 'leased', key_id = 1, node_id = 1, scheme = 'PS256', \
                 leased_at = '2027-01-01', epoch = 1 WHERE id = 3";
    for limit in ["max_signatures = 3", "not_before = '2027-01-02'", "not_after = '2027-01-01'"] {
        let unlimited = "max_signatures = NULL, not_before = NULL, not_after = NULL";
        run(&mut database.stranger(), &format!("UPDATE signing_key SET {unlimited} WHERE id = 1"));
        run(&mut database.stranger(), &format!("UPDATE signing_key SET {limit} WHERE id = 1"));
        refuses(&database, "a key signs only within its limits", &[lease]);
    }
    let within = "max_signatures = 4, not_before = '2027-01-01', not_after = '2027-01-02'";
    run(&mut database.stranger(), &format!("UPDATE signing_key SET {within} WHERE id = 1"));
    run(&mut database.stranger(), lease);
}

#[test]
fn a_batch_goes_its_way_and_no_other() {
    let database = database();
    refuses(
        &database,
        "a batch goes from open to leased",
        &[
            "UPDATE batch SET state = 'open', epoch = 2, key_id = NULL, node_id = NULL, scheme = NULL, \
             leased_at = NULL, signed_at = NULL WHERE id = 1",
            "UPDATE batch SET epoch = epoch - 1 WHERE id = 2",
            "UPDATE batch SET epoch = epoch + 1 WHERE id = 2",
            "UPDATE batch SET key_id = 3 WHERE id = 2",
            "UPDATE batch SET key_id = 3 WHERE id = 1",
            "UPDATE batch SET state = 'signed', node_id = NULL, signed_at = now(), key_id = 3 WHERE id = 2",
            "UPDATE batch SET state = 'open', key_id = NULL, node_id = NULL, scheme = NULL, leased_at = NULL \
             WHERE id = 2",
        ],
    );
    refuses(
        &database,
        "batch_one_lease_per_key",
        &["UPDATE batch SET state = 'leased', epoch = 1, key_id = 2, node_id = 1, scheme = 'PS256', \
           leased_at = now() WHERE id = 3"],
    );
    refuses(
        &database,
        "a batch is formed once",
        &["UPDATE batch SET runs = '5' WHERE id = 3", "UPDATE batch SET id = 9 WHERE id = 5"],
    );
    refuses(
        &database,
        "a batch cannot be deleted",
        &["DELETE FROM batch WHERE id = 5", "TRUNCATE batch CASCADE"],
    );
    let form = |columns: &str, values: &str| {
        format!(
            "INSERT INTO batch (id, first_record, last_record, runs, record_count{columns}) VALUES ({values})"
        )
    };
    refuses(&database, "without gaps", &[&form("", "7, 50, 51, '50-51', 2")]);
    refuses(&database, "formed open", &[&form(", epoch", "6, 50, 51, '50-51', 2, 4")]);
    refuses(&database, "batch_first_record_key", &[&form("", "6, 5, 51, '5-51', 47")]);
    refuses(&database, "batch_check", &[&form("", "6, 51, 50, '50', 1"), &form("", "6, 50, 50, '50', 2")]);
    refuses(&database, "batch_pkey", &[&form("", "5, 50, 50, '50', 1")]);
}

#[test]
fn keys_and_nodes_keep_what_they_are() {
    let database = database();
    refuses(
        &database,
        "only retired",
        &["DELETE FROM signing_key WHERE id = 3", "TRUNCATE signing_key CASCADE"],
    );
    refuses(
        &database,
        "what a key is cannot be changed",
        &[
            "UPDATE signing_key SET public_key = 'x' WHERE id = 3",
            "UPDATE signing_key SET fingerprint = repeat('0', 64) WHERE id = 3",
            "UPDATE signing_key SET bits = 4096 WHERE id = 3",
        ],
    );
    refuses(
        &database,
        "only rise",
        &[
            "UPDATE signing_key SET last_leased = 0 WHERE id = 1",
            "UPDATE signing_key SET signature_count = signature_count - 1 WHERE id = 1",
        ],
    );
    refuses(&database, "signing_key_state_check", &["UPDATE signing_key SET state = 'x' WHERE id = 3"]);
    // A sealed key without custody of the database, and the other way round; then the same for a location.
    refuses(
        &database,
        "signing_key_check",
        &[
            "UPDATE signing_key SET sealed_key = NULL WHERE id = 3",
            "UPDATE signing_key SET custody = 'hsm', location = 'id=%01' WHERE id = 3",
        ],
    );
    refuses(
        &database,
        "signing_key_check1",
        &[
            "UPDATE signing_key SET location = 'id=%01' WHERE id = 3",
            "UPDATE signing_key SET custody = 'hsm', sealed_key = NULL WHERE id = 3",
        ],
    );
    for (constraint, change) in [
        ("signing_key_max_signatures_check", "max_signatures = 9007199254740992"),
        ("signing_key_certificates_check", "certificates = ''"),
        ("signing_key_certificates_check", "certificates = decode(repeat('00', 65537), 'hex')"),
        ("signing_key_check2", "max_signatures = 1"),
        ("signing_key_check2", "max_signatures = 3, signature_count = 4"),
        ("signing_key_not_before_check", "not_before = '-infinity'"),
        ("signing_key_not_after_check", "not_after = 'infinity'"),
        ("signing_key_check3", "not_before = '2027-01-01', not_after = '2027-01-01'"),
    ] {
        refuses(&database, constraint, &[&format!("UPDATE signing_key SET {change} WHERE id = 1")]);
    }
    let elsewhere = "UPDATE signing_key SET sealed_key = NULL,";
    refuses(
        &database,
        "signing_key_custody_check",
        &[&format!("{elsewhere} custody = '', location = 'id=%01' WHERE id = 3")],
    );
    refuses(
        &database,
        "signing_key_location_check",
        &[&format!("{elsewhere} custody = 'hsm', location = '' WHERE id = 3")],
    );
    run(&mut database.stranger(), "UPDATE signing_key SET state = 'retired' WHERE id = 3");
    refuses(&database, "retired key stays", &["UPDATE signing_key SET state = 'active' WHERE id = 3"]);
    // Foreign keys hold for everybody but one who replays.
    let error = database.stranger().batch_execute("DELETE FROM node").unwrap_err().to_string();
    assert!(error.contains("batch_node_id_fkey"), "{error}");
}

#[test]
fn what_was_changed_in_the_schema_is_named() {
    let database = Database::new("changed");
    run(&mut database.admin(), "CREATE SCHEMA elsewhere");
    assert_eq!(database.store.audit().unwrap(), Vec::<String>::new());
    for (change, named) in CHANGES {
        run(&mut database.admin(), change);
        let problems = database.store.audit().unwrap();
        assert!(problems.iter().any(|problem| problem.contains(named)), "{change}: {problems:#?}");
    }
}

#[test]
fn what_users_may_do_to_the_schema_is_no_problem() {
    let database = Database::new("allowed");
    for change in [
        "CREATE INDEX mine ON record (created_at)",
        "ALTER TABLE record SET (fillfactor = 90), ALTER payload SET STORAGE EXTERNAL, REPLICA IDENTITY FULL",
        "ALTER TABLE record ALTER id RESTART WITH 1000",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC",
        "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC",
        "CREATE PUBLICATION mine FOR ALL TABLES",
        "CREATE TABLE own (id bigint REFERENCES record); CREATE VIEW more AS SELECT * FROM signed_record",
        "CREATE EXTENSION IF NOT EXISTS plpgsql; CREATE SCHEMA \"Mine\"",
        "CLUSTER batch USING batch_pkey; REINDEX TABLE record; VACUUM FULL signature",
    ] {
        for statement in change.split("; ") {
            run(&mut database.admin(), statement);
        }
        assert_eq!(database.store.audit().unwrap(), Vec::<String>::new(), "{change}");
    }
}

#[test]
fn a_table_of_that_name_in_another_schema_hides_nothing() {
    let url = Cluster::shared().database("hidden");
    let mut admin = Cluster::shared().admin(database_of(&url));
    run(&mut admin, &format!("CREATE SCHEMA first AUTHORIZATION {USER}"));
    crate::migrate(&url);
    run(&mut admin, "CREATE TABLE first.batch AS SELECT * FROM public.batch");
    let store = open(&format!("{url}?options=-csearch_path%3Dfirst,public"));
    assert_eq!(store.audit().unwrap(), Vec::<String>::new());
    assert_eq!(add_keys(&*store, 1).len(), 1);
}

#[test]
fn a_halted_database_takes_no_records_also_if_it_notifies_no_node() {
    let database = database();
    let halt = "UPDATE ledger SET halted = 'because'; ALTER TABLE record DISABLE TRIGGER record_news";
    run(&mut database.admin(), halt);
    let insert = "INSERT INTO record (payload) VALUES ('late')";
    let error = database.stranger().batch_execute(insert).expect_err(insert).to_string();
    assert!(error.contains("nothing is added, formed, leased or signed"), "{error}");
}

#[test]
fn nothing_is_signed_while_a_guard_is_off() {
    let database = database();
    run(&mut database.admin(), "ALTER TABLE batch ENABLE TRIGGER batch_transitions");
    let error = database.store.register_node("late", MINUTE, &Reach::default()).unwrap_err().to_string();
    assert!(
        error.contains("1 of the triggers that guard signatures are disabled")
            && error.contains("(such as batch.batch_transitions)"),
        "{error}"
    );
    run(&mut database.admin(), "ALTER TABLE batch ENABLE ALWAYS TRIGGER batch_transitions");
    database.store.register_node("late", MINUTE, &Reach::default()).unwrap();
    run(&mut database.admin(), "ALTER TABLE record DISABLE TRIGGER record_id_is_drawn");
    let error = database.store.register_node("late", MINUTE, &Reach::default()).unwrap_err().to_string();
    assert!(error.contains("(such as record.record_id_is_drawn)"), "{error}");
    // Nodes look by themselves, too.
    let only_notifies = "ALTER TABLE record ENABLE TRIGGER record_id_is_drawn, DISABLE TRIGGER record_news";
    run(&mut database.admin(), only_notifies);
    database.store.register_node("late", MINUTE, &Reach::default()).unwrap();
    run(&mut database.admin(), "ALTER TABLE record DISABLE TRIGGER record_not_while_halted");
    let error = database.store.register_node("late", MINUTE, &Reach::default()).unwrap_err().to_string();
    assert!(error.contains("(such as record.record_not_while_halted)"), "{error}");
}
