//! The roles of least privilege in `packaging/roles.sql`: what each may do is enough for its work, and no more.

use std::process::Command;

use diesel::{Connection, PgConnection, connection::SimpleConnection};
use signwave::{
    access::Token,
    domain::{AuditId, InsertVerdict, KeyId, KeyState},
    store::{self, Credential, NewRecord, NewToken, OnConflict, Rotation},
};
use support::{
    postgres::{Cluster, database_of},
    store::{add_keys, by, lease, new_key, open_all, register, sign},
};

use crate::{migrate, open, parse, run};

/// Runs the script as its first lines say: by psql, as a superuser.
fn give_rights(cluster: &Cluster, database: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/roles.sql");
    let output = Command::new("psql")
        .args(["-q", "-X", "-f", script, "-d"])
        .arg(format!(
            "host={} port={} user=postgres dbname={database}",
            cluster.folder().display(),
            cluster.port()
        ))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn each_role_can_do_its_work_and_nothing_else() {
    // Its own server, because roles are the server's.
    let cluster = Cluster::start();
    let name = database_of(&cluster.database("roles")).to_owned();
    let url = |role: &str| {
        format!(
            "postgres://{role}@/{name}?host={}&port={}",
            cluster.folder().display().to_string().replace('/', "%2F"),
            cluster.port()
        )
    };
    give_rights(&cluster, &name);
    migrate(&url("signwave_owner"));
    give_rights(&cluster, &name);

    add_keys(&*open(&url("signwave_owner")), 2);
    let mut writer = PgConnection::establish(&url("signwave_writer")).unwrap();
    run(&mut writer, "INSERT INTO record (external_id, payload) VALUES ('a', 'x'), ('b', 'y')");
    run(&mut writer, "INSERT INTO record (external_id, payload) VALUES ('a', 'x') ON CONFLICT DO NOTHING");

    // All that a service does, also with a gap.
    let service = open(&url("signwave_service"));
    assert_eq!(open_all(&*service, 1), 2);
    let _ = writer.batch_execute("INSERT INTO record (payload) VALUES (NULL)"); // draws an id in vain
    run(&mut writer, "INSERT INTO record (payload) VALUES ('z')");
    assert_eq!(open_all(&*service, 1), 1);
    assert_eq!(open_all(&*service, 1), 0);
    let node = register(&*service);
    let leases = lease(&*service, node, 2);
    service.release(&[(leases[1].batch(), leases[1].epoch())]).unwrap();
    service.commit(&leases.into_iter().take(1).map(sign).collect::<Vec<_>>()).unwrap();
    service.renew_node(node, support::store::MINUTE).unwrap();
    service.remove_node(node).unwrap();
    service.reclaim(None, support::store::MINUTE).unwrap();
    service.set_key_state(KeyId(2), KeyState::Suspended, Some("it fails"), &by()).unwrap();
    let token = Token::issue();
    let rotation = Rotation { secret: Token::issue().hash(), overlap: None, expires_in: None };
    let new = NewToken {
        id: token.id(),
        name: "ci".parse().unwrap(),
        scopes: "read".parse().unwrap(),
        credential: Credential::Secret(token.hash()),
        expires_in: None,
    };
    service.add_token(&new, &by()).unwrap();
    assert!(service.note_use(token.id(), support::store::MINUTE).unwrap());
    service.rotate_token(token.id(), &rotation, &by()).unwrap();
    service.revoke_token(token.id(), &by()).unwrap();
    let api = open(&url("signwave_api"));
    let record = NewRecord { external_id: Some("over-http"), payload: b"x" };
    for expected in [true, false] {
        let verdicts = api.insert_records(&[record], OnConflict::Continue).unwrap();
        assert_eq!(matches!(verdicts[..], [InsertVerdict::Inserted(_)]), expected, "{verdicts:?}");
    }
    api.add_key(&new_key(9), &by()).unwrap();
    assert_eq!(api.audit().unwrap(), Vec::<String>::new());
    service.listener().unwrap();
    assert_eq!(service.audit().unwrap(), Vec::<String>::new());
    assert_eq!(service.status().unwrap().signed, 1);

    let auditor = store::open_to_read(&parse(&url("signwave_auditor"))).unwrap();
    assert_eq!(auditor.audit().unwrap(), Vec::<String>::new());
    assert_eq!((auditor.counts().unwrap().signatures, auditor.keys().unwrap().len()), (1, 3));
    assert_eq!(auditor.tokens(None, 9).unwrap().len(), 1);
    assert_eq!(auditor.audit_log(AuditId(0), 9).unwrap().len(), 2 + 1 + 3 + 1);
    run(&mut writer, r"SELECT signwave_submit('c', '\x'), signwave_submit('c', '\x')");

    let mut reader = PgConnection::establish(&url("signwave_reader")).unwrap();
    run(&mut reader, "SELECT signature, fingerprint FROM signed_record");
    for (who, sql) in [
        ("signwave_service", "UPDATE signature SET value = 'x'"),
        ("signwave_service", "DELETE FROM signature"),
        ("signwave_service", "TRUNCATE signature"),
        ("signwave_service", "ALTER TABLE signature DISABLE TRIGGER ALL"),
        ("signwave_service", "DROP TRIGGER signature_no_update ON signature"),
        ("signwave_service", "UPDATE record SET payload = 'x'"),
        ("signwave_service", "INSERT INTO record (payload) VALUES ('x')"),
        ("signwave_service", "DELETE FROM record"),
        ("signwave_api", "UPDATE record SET payload = 'x'"),
        ("signwave_api", "DELETE FROM record"),
        ("signwave_api", "INSERT INTO record (id, payload) OVERRIDING SYSTEM VALUE VALUES (99, 'x')"),
        ("signwave_api", "DELETE FROM signing_key"),
        ("signwave_api", "UPDATE signing_key SET sealed_key = 'x'"),
        ("signwave_service", "UPDATE signing_key SET public_key = 'x'"),
        ("signwave_service", "DELETE FROM batch"),
        ("signwave_service", "CREATE TEMP TABLE batch (id bigint)"),
        ("signwave_service", "SET session_replication_role = replica"),
        ("signwave_service", "DELETE FROM api_token"),
        ("signwave_service", "UPDATE api_token SET scopes = 'admin'"),
        ("signwave_service", "UPDATE api_audit SET who = 'cli:other'"),
        ("signwave_service", "DELETE FROM api_audit"),
        ("signwave_auditor", "SELECT secret_sha256 FROM api_token"),
        (
            "signwave_auditor",
            "INSERT INTO api_audit (id, who, action, object) VALUES (99, 'cli:x', 'key.add', 'x')",
        ),
        ("signwave_auditor", "BEGIN; LOCK TABLE auditing_turn IN SHARE ROW EXCLUSIVE MODE"),
        ("signwave_reader", "SELECT id FROM api_token"),
        ("signwave_writer", "SELECT id FROM api_audit"),
        ("signwave_writer", "SELECT payload FROM record"),
        ("signwave_writer", "INSERT INTO record (id, payload) OVERRIDING SYSTEM VALUE VALUES (99, 'x')"),
        ("signwave_writer", "SELECT sealed_key FROM signing_key"),
        ("signwave_writer", "SELECT setval('record_id_seq', 1)"),
        ("signwave_writer", "SELECT setval('signwave_frontier', 1)"),
        ("signwave_writer", "BEGIN; LOCK TABLE gap IN SHARE MODE"),
        ("signwave_reader", "SELECT signwave_submit('d', 'x')"),
        ("signwave_service", "SELECT signwave_submit('d', 'x')"),
        ("signwave_reader", "SELECT sealed_key FROM signing_key"),
        ("signwave_reader", "INSERT INTO record (payload) VALUES ('x')"),
        ("signwave_reader", "BEGIN; LOCK TABLE opening_turn IN SHARE ROW EXCLUSIVE MODE"),
        ("signwave_writer", "BEGIN; LOCK TABLE leasing_turn IN SHARE ROW EXCLUSIVE MODE"),
        ("signwave_auditor", "BEGIN; LOCK TABLE leasing_turn IN SHARE ROW EXCLUSIVE MODE"),
        ("signwave_auditor", "SELECT sealed_key FROM signing_key"),
        ("signwave_auditor", "UPDATE batch SET epoch = 9"),
    ] {
        let error =
            PgConnection::establish(&url(who)).unwrap().batch_execute(sql).expect_err(sql).to_string();
        assert!(error.contains("denied") || error.contains("must be owner"), "{sql}: {error}");
    }
}
