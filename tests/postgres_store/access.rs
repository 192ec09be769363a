//! What the schema refuses of tokens and of the audit log, whoever asks.

use signwave::{
    access::Token,
    domain::{By, Who},
    store::{AddTokenVerdict, Credential, NewToken, Rotation},
};
use support::store::{add_keys, by};

use crate::{Database, lines, run};

/// A token with two secrets, one that was used, one of a certificate that was revoked.
fn database() -> Database {
    let database = Database::new("access");
    add_keys(&*database.store, 2);
    run(
        &mut database.stranger(),
        "INSERT INTO api_token (id, name, scopes, secret_sha256, expires_at) \
         VALUES ('aaaaaaaaaa', 'rotated', 'submit,read', decode(repeat('00', 32), 'hex'), '2099-01-01 UTC'); \
         UPDATE api_token SET secret_sha256 = decode(repeat('01', 32), 'hex'), previous_sha256 = secret_sha256, \
         previous_until = '2098-01-01 UTC'; \
         INSERT INTO api_token (id, name, scopes, secret_sha256) \
         VALUES ('bbbbbbbbbb', 'used', 'read', decode(repeat('02', 32), 'hex')); \
         UPDATE api_token SET last_used_at = '2026-11-26 10:00 UTC' WHERE id = 'bbbbbbbbbb'; \
         INSERT INTO api_token (id, name, scopes, certificate_sha256) \
         VALUES ('cccccccccc', 'gone', 'submit', repeat('7', 64)); \
         UPDATE api_token SET revoked_at = '2026-11-26 10:00 UTC' WHERE id = 'cccccccccc'",
    );
    database
}

fn dump(database: &Database) -> Vec<String> {
    let all = "SELECT 'token ' || api_token::text AS line FROM api_token \
               UNION ALL SELECT 'audit ' || api_audit::text FROM api_audit ORDER BY 1";
    lines(&mut database.admin(), all)
}

/// `because` is part of the message, so that no statement is refused for another reason.
fn refuses(database: &Database, because: &str, statements: &[&str]) {
    crate::guards::refuses_as(database, because, statements, dump);
}

#[test]
fn tokens_keep_what_they_are() {
    let database = database();
    refuses(&database, "only revoked", &["DELETE FROM api_token", "TRUNCATE api_token"]);
    refuses(
        &database,
        "what a token is and may do cannot be changed",
        &[
            "UPDATE api_token SET scopes = 'admin' WHERE id = 'aaaaaaaaaa'",
            "UPDATE api_token SET name = 'other' WHERE id = 'aaaaaaaaaa'",
            "UPDATE api_token SET id = 'eeeeeeeeee' WHERE id = 'aaaaaaaaaa'",
            "UPDATE api_token SET created_at = now() WHERE id = 'aaaaaaaaaa'",
            "INSERT INTO api_token (id, name, scopes, secret_sha256) VALUES ('aaaaaaaaaa', 'x', 'admin', \
             decode(repeat('09', 32), 'hex')) ON CONFLICT (id) DO UPDATE SET scopes = 'admin'",
        ],
    );
    refuses(
        &database,
        "a revoked token stays as it is",
        &[
            "UPDATE api_token SET revoked_at = NULL WHERE id = 'cccccccccc'",
            "UPDATE api_token SET last_used_at = now() WHERE id = 'cccccccccc'",
        ],
    );
    refuses(
        &database,
        "only a rotation changes",
        &[
            "UPDATE api_token SET expires_at = NULL WHERE id = 'aaaaaaaaaa'",
            "UPDATE api_token SET previous_until = '2100-01-01 UTC' WHERE id = 'aaaaaaaaaa'",
            "UPDATE api_token SET previous_sha256 = decode(repeat('09', 32), 'hex') WHERE id = 'aaaaaaaaaa'",
            "UPDATE api_token SET secret_sha256 = decode(repeat('09', 32), 'hex') WHERE id = 'aaaaaaaaaa'",
        ],
    );
    refuses(
        &database,
        "only rises",
        &[
            "UPDATE api_token SET last_used_at = NULL WHERE id = 'bbbbbbbbbb'",
            "UPDATE api_token SET last_used_at = '2020-01-01 UTC' WHERE id = 'bbbbbbbbbb'",
        ],
    );
    run(
        &mut database.stranger(),
        "UPDATE api_token SET secret_sha256 = decode(repeat('09', 32), 'hex'), previous_sha256 = secret_sha256, \
         previous_until = now(), expires_at = NULL WHERE id = 'aaaaaaaaaa'; \
         UPDATE api_token SET previous_sha256 = NULL, previous_until = NULL WHERE id = 'aaaaaaaaaa'",
    );
}

#[test]
fn an_illegal_token_cannot_be_stored() {
    let database = database();
    let token = |id: &str, scopes: &str, columns: &str, values: &str| {
        format!(
            "INSERT INTO api_token (id, name, scopes, {columns}) VALUES ('{id}', 'n', '{scopes}', {values})"
        )
    };
    let (id, secret) = ("eeeeeeeeee", "decode(repeat('09', 32), 'hex')");
    for (constraint, statement) in [
        ("api_token_id_check", token("EEEEEEEEEE", "read", "secret_sha256", secret)),
        ("api_token_pkey", token("aaaaaaaaaa", "read", "secret_sha256", secret)),
        ("api_token_scopes_check", token(id, "read,submit", "secret_sha256", secret)),
        ("api_token_scopes_check", token(id, "", "secret_sha256", secret)),
        ("api_token_secret_sha256_check", token(id, "read", "secret_sha256", "'x'")),
        ("api_token_certificate_sha256_check", token(id, "read", "certificate_sha256", "'9'")),
        ("api_token_check", token(id, "read", "secret_sha256", "NULL")),
        (
            "api_token_check",
            token(id, "read", "secret_sha256, certificate_sha256", &format!("{secret}, repeat('9', 64)")),
        ),
        (
            "api_token_expires_at_check",
            token(id, "read", "secret_sha256, expires_at", &format!("{secret}, 'infinity'")),
        ),
        (
            "begins with one secret",
            token(id, "read", "secret_sha256, revoked_at", &format!("{secret}, now()")),
        ),
        (
            "begins with one secret",
            token(id, "read", "secret_sha256, last_used_at", &format!("{secret}, now()")),
        ),
    ] {
        refuses(&database, constraint, &[&statement]);
    }
    // A revoked certificate is free again, and then taken.
    let certificate = |id| token(id, "read", "certificate_sha256", "repeat('7', 64)");
    run(&mut database.stranger(), &certificate("eeeeeeeeee"));
    refuses(&database, "api_token_one_per_certificate", &[&certificate("ffffffffff")]);
}

#[test]
fn a_session_keeps_its_secret_and_its_end_and_goes_only_when_its_time_is_over() {
    let database = database();
    let session = |id: &str, parent: &str, end: &str| {
        format!(
            "INSERT INTO api_token (id, name, scopes, secret_sha256, parent, expires_at) \
             VALUES ('{id}', 'n', 'read', decode(repeat('05', 32), 'hex'), {parent}, {end})"
        )
    };
    let statements = [
        session("eeeeeeeeee", "'aaaaaaaaaa'", "'2099-01-01 UTC'"),
        session("ffffffffff", "'terminal'", "'2026-01-01 UTC'"),
    ];
    run(&mut database.stranger(), &statements.join("; "));
    refuses(
        &database,
        "what a token is and may do cannot be changed",
        &[
            "UPDATE api_token SET parent = NULL WHERE id = 'eeeeeeeeee'",
            "UPDATE api_token SET parent = 'terminal' WHERE id = 'bbbbbbbbbb'",
            "UPDATE api_token SET secret_sha256 = decode(repeat('09', 32), 'hex') WHERE id = 'eeeeeeeeee'",
            "UPDATE api_token SET secret_sha256 = decode(repeat('09', 32), 'hex'), expires_at = '2100-01-01 UTC' \
             WHERE id = 'ffffffffff'",
        ],
    );
    refuses(
        &database,
        "only revoked",
        &["DELETE FROM api_token WHERE id = 'eeeeeeeeee'", "DELETE FROM api_token WHERE parent IS NOT NULL"],
    );
    refuses(&database, "api_token_check", &[&session("gggggggggg", "'terminal'", "NULL")]);
    refuses(
        &database,
        "api_token_parent_check",
        &[
            &session("gggggggggg", "'other'", "'2099-01-01 UTC'"),
            &session("gggggggggg", "''", "'2099-01-01 UTC'"),
        ],
    );
    run(&mut database.stranger(), "UPDATE api_token SET revoked_at = now() WHERE id = 'eeeeeeeeee'");
    refuses(&database, "only revoked", &["DELETE FROM api_token WHERE id = 'eeeeeeeeee'"]);
    run(&mut database.stranger(), "DELETE FROM api_token WHERE id = 'ffffffffff'");
}

#[test]
fn the_audit_log_is_append_only_and_has_no_gaps() {
    let database = database();
    refuses(
        &database,
        "the audit log cannot be changed",
        &[
            "UPDATE api_audit SET who = 'cli:other'",
            "INSERT INTO api_audit (id, who, action, object) VALUES (1, 'cli:other', 'key.add', 'x') \
             ON CONFLICT (id) DO UPDATE SET who = 'cli:other'",
        ],
    );
    refuses(
        &database,
        "the audit log cannot be deleted",
        &["DELETE FROM api_audit", "TRUNCATE api_audit", "DELETE FROM api_audit WHERE id = 2"],
    );
    let row = |id: i64, who: &str, action: &str| {
        format!("INSERT INTO api_audit (id, who, action, object) VALUES ({id}, '{who}', '{action}', 'x')")
    };
    refuses(&database, "numbered without gaps", &[&row(9, "cli:other", "key.add")]);
    refuses(&database, "api_audit_pkey", &[&row(1, "cli:other", "key.add")]);
    refuses(&database, "api_audit_who_check", &[&row(3, "other", "key.add"), &row(3, "cli:", "key.add")]);
    refuses(&database, "api_audit_action_check", &[&row(3, "cli:other", "add")]);
    run(&mut database.stranger(), &row(3, "cli:other", "key.add"));
}

#[test]
fn verify_notices_a_row_of_the_audit_log_that_is_gone() {
    let database = database();
    assert_eq!(database.store.audit().unwrap(), Vec::<String>::new());
    let delete = "ALTER TABLE api_audit DISABLE TRIGGER api_audit_no_delete; DELETE FROM api_audit WHERE id = 1; \
                  ALTER TABLE api_audit ENABLE ALWAYS TRIGGER api_audit_no_delete";
    run(&mut database.admin(), delete);
    let missing = ["the audit log ends with row 2, but has 1 rows: rows were deleted from it"];
    assert_eq!(database.store.audit().unwrap(), missing);
    run(&mut database.admin(), "DROP TABLE api_audit");
    let problems = database.store.audit().unwrap();
    assert!(problems.iter().any(|problem| problem.starts_with("table api_audit is missing")), "{problems:?}");
}

/// The row of the log is refused by somebody's trigger, for a reason that no check could foresee.
#[test]
fn a_change_whose_row_is_refused_is_undone() {
    let database = database();
    let store = &*database.store;
    let token = Token::issue();
    let new = NewToken {
        id: token.id(),
        name: "ci".parse().unwrap(),
        scopes: "read".parse().unwrap(),
        credential: Credential::Secret(token.hash()),
        expires_in: None,
    };
    assert!(matches!(store.add_token(&new, &by()), Ok(AddTokenVerdict::Added(_))));
    run(
        &mut database.admin(),
        "CREATE TRIGGER mine BEFORE INSERT ON api_audit FOR EACH ROW EXECUTE FUNCTION signwave_refuse('not today')",
    );
    let before = dump(&database);
    let rotation = Rotation { secret: Token::issue().hash(), overlap: None, expires_in: None };
    let node = By::without_request(Who::Node("n".to_owned()));
    let refusals = [
        store.add_key(&support::store::new_key(9), &by()).err(),
        store
            .set_key_state(signwave::domain::KeyId(1), signwave::domain::KeyState::Suspended, None, &node)
            .err(),
        store.rotate_token(token.id(), &rotation, &by()).err(),
        store.revoke_token(token.id(), &by()).err(),
    ];
    assert!(refusals.iter().all(|refusal| refusal.as_ref().unwrap().to_string().contains("not today")));
    assert_eq!(dump(&database), before);
    assert!(store.keys().unwrap().iter().all(|key| key.state == signwave::domain::KeyState::Active));
    assert_eq!(store.keys().unwrap().len(), 2);
}
