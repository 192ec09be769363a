//! What the schema refuses, whoever asks: the owner of the tables, and a superuser who says that he
//! only replays what happened elsewhere.

use diesel::connection::SimpleConnection;
use signwave::domain::Scheme;
use support::{
    postgres::{Cluster, USER, database_of},
    store::{MINUTE, add_keys, add_records, open_all, register, sign},
};

use crate::{Database, lines, open, run};

/// Records 1 to 9: batch 1 (1-2) signed, batch 2 (3-4) leased, batches 3 to 5 open.
fn database() -> Database {
    let database = Database::new("guards");
    let store = &*database.store;
    add_keys(store, 3);
    add_records(store, 9);
    open_all(store, 2);
    let node = register(store);
    let lease = store.lease(node, Scheme::Ps256, 2).unwrap().remove(0);
    store.commit(&[sign(lease)]).unwrap();
    database
}

/// `because` is part of the message, so that no statement is refused for another reason.
fn refuses(database: &Database, because: &str, statements: &[&str]) {
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

/// What somebody does to the schema, and what of it `verify` says.
const CHANGES: [(&str, &str); 36] = [
    (
        "DROP TRIGGER signature_no_update ON signature",
        "trigger signature_no_update of signature is missing: make it",
    ),
    (
        "ALTER TABLE signature DISABLE TRIGGER signature_no_delete",
        "trigger signature_no_delete of signature: its enabled is 'no', expected 'always': \
         ALTER TABLE signature ENABLE ALWAYS TRIGGER signature_no_delete",
    ),
    (
        "ALTER TABLE record ENABLE TRIGGER record_no_update",
        "trigger record_no_update of record: its enabled is 'origin'",
    ),
    // The brackets change what it means.
    (
        "CREATE OR REPLACE FUNCTION pg_temp.again() RETURNS void LANGUAGE plpgsql AS $$ BEGIN \
         DROP TRIGGER batch_formed_open ON batch; CREATE TRIGGER batch_formed_open BEFORE INSERT ON batch FOR EACH ROW \
         WHEN ((NEW.state <> 'open' OR NEW.epoch <> 0) AND NEW.id > 0) \
         EXECUTE FUNCTION signwave_refuse('a batch is formed open, with epoch 0'); \
         ALTER TABLE batch ENABLE ALWAYS TRIGGER batch_formed_open; END $$; SELECT pg_temp.again()",
        "trigger batch_formed_open of batch: its definition is '",
    ),
    (
        "CREATE TRIGGER mine BEFORE INSERT ON signature FOR EACH ROW EXECUTE FUNCTION signwave_tell()",
        "trigger mine of signature is not Sign Wave's: DROP TRIGGER mine ON signature",
    ),
    ("DROP INDEX batch_one_lease_per_key", "index batch_one_lease_per_key of batch is missing"),
    (
        "DROP INDEX batch_open; CREATE INDEX batch_open ON batch (id) WHERE state = 'signed'",
        "index batch_open of batch: its definition is '",
    ),
    (
        "ALTER TABLE signature DROP CONSTRAINT signature_pkey",
        "constraint signature_pkey of signature is missing",
    ),
    (
        "ALTER TABLE gap DROP CONSTRAINT gap_check, ADD CONSTRAINT gap_check CHECK (first_record <= last_record) NOT VALID",
        "its definition is 'CHECK (first_record <= last_record) NOT VALID', expected 'CHECK (first_record <= last_record)'",
    ),
    (
        "ALTER TABLE signing_key DROP CONSTRAINT signing_key_check, ADD CONSTRAINT signing_key_check CHECK (true)",
        "constraint signing_key_check of signing_key: its definition is 'CHECK (true)'",
    ),
    (
        "ALTER TABLE node DISABLE TRIGGER ALL; ALTER TABLE node ENABLE ALWAYS TRIGGER node_identity",
        "constraint batch_node_id_fkey of batch: its enabled is 'no', expected 'yes'",
    ),
    (
        "CREATE OR REPLACE FUNCTION signwave_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "function signwave_refuse(): its body is 'BEGIN RETURN NULL; END', expected 'BEGIN RAISE",
    ),
    (
        "ALTER FUNCTION signwave_tell() SECURITY DEFINER",
        "function signwave_tell(): its rights is 'of the owner of record', expected 'of the caller'",
    ),
    (
        "ALTER FUNCTION signwave_check_batches() RESET search_path",
        "function signwave_check_batches(): its settings is 'none', expected 'search_path=HERE, pg_temp'",
    ),
    (
        "ALTER FUNCTION signwave_check_signatures() SET search_path = elsewhere, public, pg_temp",
        "its settings is 'search_path=elsewhere, public, pg_temp'",
    ),
    (
        "ALTER TABLE record ALTER payload DROP NOT NULL",
        "column record.payload: its definition is 'bytea', expected 'bytea not null'",
    ),
    (
        "ALTER TABLE record ALTER created_at SET DEFAULT '1999-01-01 UTC'",
        "column record.created_at: its definition is '",
    ),
    (
        "ALTER TABLE gap ALTER writers TYPE varchar(20)[]",
        "column gap.writers: its definition is 'character varying(20)[] not null'",
    ),
    ("ALTER TABLE signing_key ALTER state_reason TYPE text COLLATE \"POSIX\"", "expected 'text'"),
    (
        "ALTER TABLE record ALTER id SET GENERATED BY DEFAULT",
        "identity by default', expected 'bigint not null identity always'",
    ),
    (
        "ALTER TABLE record ALTER id SET INCREMENT -1",
        "the sequence of record.id does not count up one by one",
    ),
    (
        "ALTER TABLE node ALTER id SET CYCLE",
        "cycle', expected 'bigint increment 1 from 1 to 9223372036854775807 cache 1': ALTER TABLE node",
    ),
    (
        "ALTER TABLE signing_key ALTER id SET CACHE 7 SET MAXVALUE 70",
        "'bigint increment 1 from 1 to 70 cache 7'",
    ),
    (
        "CREATE RULE swallow AS ON INSERT TO record DO INSTEAD NOTHING",
        "rule swallow of record is not Sign Wave's: DROP RULE swallow ON record",
    ),
    (
        "ALTER TABLE gap ENABLE ROW LEVEL SECURITY",
        "table gap: its row security is 'on', expected 'off': ALTER TABLE gap DISABLE ROW LEVEL SECURITY",
    ),
    (
        "ALTER TABLE batch ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "table batch: its row security is 'forced'",
    ),
    ("ALTER TABLE node FORCE ROW LEVEL SECURITY", "table node: its row security is 'forced when it is on'"),
    (
        "CREATE POLICY mine ON batch USING (id < 9)",
        "policy mine of batch is not Sign Wave's: DROP POLICY mine ON batch",
    ),
    (
        "ALTER TABLE gap SET UNLOGGED",
        "table gap: its persistence is 'unlogged', expected 'logged': ALTER TABLE gap SET LOGGED",
    ),
    ("CREATE TABLE heir () INHERITS (record)", "table record: its inheritance is 'by heir', expected 'none'"),
    (
        "CREATE OR REPLACE VIEW signed_record AS SELECT record.id AS record_id, record.external_id, 'x'::bytea AS payload, \
      signature.value AS signature, signing_key.fingerprint, batch.scheme, batch.signed_at FROM signature \
      JOIN record ON record.id = signature.record_id JOIN batch ON batch.id = signature.batch_id \
      JOIN signing_key ON signing_key.id = batch.key_id",
        "view signed_record: its definition is '",
    ),
    (
        "ALTER VIEW signed_record SET (security_barrier)",
        "view signed_record: its options is 'security_barrier=true'",
    ),
    (
        "ALTER TABLE signature OWNER TO postgres",
        "table signature: its owner is 'postgres', expected 'that of record': ALTER TABLE signature OWNER TO",
    ),
    (
        "GRANT INSERT, TRUNCATE ON signature TO PUBLIC",
        "everybody has the right to TRUNCATE on signature: REVOKE TRUNCATE ON signature FROM PUBLIC",
    ),
    ("GRANT UPDATE (state) ON batch TO PUBLIC", "everybody has the right to UPDATE on batch"),
    ("ALTER TABLE gap SET SCHEMA elsewhere", "table gap is missing: make it again"),
];

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
fn nothing_is_signed_while_a_guard_is_off() {
    let database = database();
    run(&mut database.admin(), "ALTER TABLE batch ENABLE TRIGGER batch_transitions");
    let error = database.store.register_node("late", MINUTE).unwrap_err().to_string();
    assert!(
        error.contains("1 of the triggers that guard signatures are off or missing, batch.batch_transitions"),
        "{error}"
    );
    run(&mut database.admin(), "ALTER TABLE batch ENABLE ALWAYS TRIGGER batch_transitions");
    database.store.register_node("late", MINUTE).unwrap();
    run(&mut database.admin(), "ALTER TABLE record DISABLE TRIGGER record_id_is_drawn");
    let error = database.store.register_node("late", MINUTE).unwrap_err().to_string();
    assert!(error.contains("record.record_id_is_drawn for one"), "{error}");
    // Nodes look by themselves, too.
    let only_notifies = "ALTER TABLE record ENABLE TRIGGER record_id_is_drawn, DISABLE TRIGGER record_news";
    run(&mut database.admin(), only_notifies);
    database.store.register_node("late", MINUTE).unwrap();
}
