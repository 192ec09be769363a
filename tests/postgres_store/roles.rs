//! The roles of least privilege in `packaging/roles.sql`: what each may do is enough for its work, and no more.

use std::{process::Command, time::Duration};

use diesel::{Connection, PgConnection, connection::SimpleConnection};
use signwave::{
    access::Token,
    domain::{
        AuditId, InsertVerdict, KeyId, KeyState, NodeId, Place, Reach, RefusedId, RetryVerdict, WebhookName,
    },
    store::{
        self, AddWebhookVerdict, AdvanceVerdict, Arrival, ClaimVerdict, ClaimWebhookVerdict, Credential,
        NewRecord, NewSession, NewToken, NewWebhook, OnConflict, ResetTo, ResetVerdict, RetryName, Rotation,
        SessionOrigin, Settlement, Store,
    },
};
use support::{
    postgres::{Cluster, database_of},
    store::{MINUTE, add_keys, by, lease, new_key, open_all, register, sign},
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

/// All that an intake does, and an operator with what it has refused.
fn take_in(api: &dyn Store) {
    let arrival = |name, digest| Arrival {
        external_id: Some(name),
        payload: b"from a queue",
        size: 12,
        digest: [digest; 32],
        refusal: None,
    };
    for _ in 0..2 {
        api.insert_arrivals("queue", &[arrival("queued", 1), arrival("over-http", 2)]).unwrap();
    }
    let refused = api.refused(RefusedId(0), 9).unwrap()[0].id;
    assert_eq!(api.retry_refused(refused, RetryName::Kept, &by()).unwrap(), RetryVerdict::Conflict);
    assert!(api.drop_refused(refused, &by()).unwrap());
}

/// What an administrator does with webhooks over HTTP, a service that sends to them, and a person who resets one. Five changes are
/// logged.
fn send(api: &dyn Store, service: &dyn Store) {
    let name: WebhookName = "hook".parse().unwrap();
    let url = "https://example.org/".to_owned();
    let new = NewWebhook { name: name.clone(), url, allow_internal: false, sealed_secret: vec![1] };
    assert!(matches!(api.add_webhook(&new, &by()).unwrap(), AddWebhookVerdict::Added(_)));
    assert!(api.rotate_webhook(&name, &[2], MINUTE, &by()).unwrap());
    assert_eq!(service.due_webhooks().unwrap(), []);
    let not_due = service.claim_webhook(&name, NodeId(1), MINUTE).unwrap();
    assert!(matches!(not_due, ClaimWebhookVerdict::NotDue), "{not_due:?}");
    let settle = |settlement| {
        let claimed = service.claim_outlet(&name.outlet(), NodeId(1), MINUTE, Place(0)).unwrap();
        let ClaimVerdict::Claimed(mut claim) = claimed else { panic!("{claimed:?}") };
        let place = claim.place;
        assert_eq!(service.advance_outlet(&mut claim, place, MINUTE).unwrap(), AdvanceVerdict::Advanced);
        assert_eq!(service.settle_webhook(&claim, &settlement, &by()).unwrap(), AdvanceVerdict::Advanced);
    };
    settle(Settlement::Failed { reason: "it is away".to_owned(), retry_in: MINUTE });
    settle(Settlement::Delivered(Place(0)));
    settle(Settlement::Disabled { reason: "it is gone".to_owned() });
    assert!(api.enable_webhook(&name, &by()).unwrap());
    let reset = api.reset_outlet(&name.outlet(), ResetTo::Start, &by()).unwrap();
    assert!(matches!(reset, ResetVerdict::Reset { .. }), "{reset:?}");
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
    service.renew_node(node, support::store::MINUTE, &Reach::default()).unwrap();
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
    // Of tokens, only sessions whose time is over are deleted.
    let session = NewSession {
        id: Token::issue().id(),
        secret: Token::issue().hash(),
        origin: SessionOrigin::Terminal("terminal".parse().unwrap(), "read".parse().unwrap()),
        expires_in: Duration::ZERO,
        kept_for: Duration::ZERO,
    };
    for id in [session.id, Token::issue().id()] {
        service.add_session(&NewSession { id, ..session.clone() }, &by()).unwrap();
    }
    assert_eq!(service.sessions(None, 9).unwrap().len(), 1);
    let refused =
        PgConnection::establish(&url("signwave_service")).unwrap().batch_execute("DELETE FROM api_token");
    assert!(refused.unwrap_err().to_string().contains("only revoked"));
    let api = open(&url("signwave_api"));
    let record = NewRecord { external_id: Some("over-http"), payload: b"x" };
    for expected in [true, false] {
        let verdicts = api.insert_records(&[record], OnConflict::Continue).unwrap();
        assert_eq!(matches!(verdicts[..], [InsertVerdict::Inserted(_)]), expected, "{verdicts:?}");
    }
    take_in(&*api);
    send(&*api, &*service);
    api.add_key(&new_key(9), &by()).unwrap();
    assert_eq!(api.audit().unwrap(), Vec::<String>::new());
    service.listener().unwrap();
    assert_eq!(service.audit().unwrap(), Vec::<String>::new());
    assert_eq!(service.status().unwrap().signed, 1);
    assert_eq!(service.sequence().unwrap().last, Place(1));

    let auditor = store::open_to_read(&parse(&url("signwave_auditor"))).unwrap();
    assert_eq!(auditor.audit().unwrap(), Vec::<String>::new());
    assert_eq!((auditor.counts().unwrap().signatures, auditor.keys().unwrap().len()), (1, 3));
    assert_eq!(auditor.sequence().unwrap(), service.sequence().unwrap());
    assert_eq!(auditor.feed(Place(0), 9).unwrap().len(), 1);
    assert_eq!(auditor.tokens(None, 9).unwrap().len(), 1);
    assert_eq!(auditor.audit_log(AuditId(0), 99).unwrap().len(), 2 + 1 + 3 + 2 + 1 + 5 + 1);
    assert_eq!((auditor.webhooks().unwrap().len(), auditor.outlets().unwrap().len()), (1, 1));
    assert_eq!(auditor.status().unwrap().webhooks.len(), 1);
    run(&mut writer, r"SELECT signwave_submit('c', '\x'), signwave_submit('c', '\x')");

    let mut reader = PgConnection::establish(&url("signwave_reader")).unwrap();
    run(
        &mut reader,
        "SELECT signature, fingerprint, position FROM signed_record; SELECT id FROM feed_identity",
    );
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
        ("signwave_api", "UPDATE refused SET payload = 'x'"),
        ("signwave_service", "DELETE FROM refused"),
        ("signwave_writer", "SELECT payload FROM refused"),
        ("signwave_service", "UPDATE webhook SET url = 'https://evil.example/'"),
        ("signwave_service", "DELETE FROM webhook"),
        ("signwave_api", "UPDATE webhook SET allow_internal = TRUE"),
        ("signwave_auditor", "SELECT sealed_secret FROM webhook"),
        ("signwave_reader", "SELECT url FROM webhook"),
        ("signwave_reader", "UPDATE outlet SET position = 0"),
        ("signwave_api", "INSERT INTO record (id, payload) OVERRIDING SYSTEM VALUE VALUES (99, 'x')"),
        ("signwave_api", "DELETE FROM signing_key"),
        ("signwave_api", "UPDATE signing_key SET sealed_key = 'x'"),
        ("signwave_service", "UPDATE signing_key SET public_key = 'x'"),
        ("signwave_service", "UPDATE signing_key SET max_signatures = NULL"),
        ("signwave_api", "UPDATE signing_key SET certificates = NULL"),
        ("signwave_service", "DELETE FROM batch"),
        ("signwave_service", "CREATE TEMP TABLE batch (id bigint)"),
        ("signwave_service", "SET session_replication_role = replica"),
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
        ("signwave_auditor", "BEGIN; LOCK TABLE sequencing_turn IN SHARE ROW EXCLUSIVE MODE"),
        ("signwave_reader", "INSERT INTO feed VALUES (9, 1)"),
        ("signwave_auditor", "DELETE FROM unsequenced"),
        ("signwave_service", "UPDATE feed SET position = 9"),
        ("signwave_service", "UPDATE feed_identity SET id = '0123456789ab'"),
        ("signwave_auditor", "SELECT sealed_key FROM signing_key"),
        ("signwave_auditor", "UPDATE batch SET epoch = 9"),
    ] {
        let error =
            PgConnection::establish(&url(who)).unwrap().batch_execute(sql).expect_err(sql).to_string();
        assert!(error.contains("denied") || error.contains("must be owner"), "{sql}: {error}");
    }
}
