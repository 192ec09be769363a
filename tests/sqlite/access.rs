//! What the schema itself refuses of tokens and of the audit log, tried by a stranger with plain SQL.

use support::stranger::Database;

/// A token with two secrets, one that was used, one of a certificate, one that was revoked.
fn database() -> Database {
    let database = Database::new();
    for sql in [
        "INSERT INTO api_token (id, name, scopes, secret_sha256, expires_at) \
         VALUES ('aaaaaaaaaa', 'rotated', 'submit,read', zeroblob(32), '2099-01-01T00:00:00.000Z')",
        "UPDATE api_token SET secret_sha256 = randomblob(32), previous_sha256 = secret_sha256, \
         previous_until = '2098-01-01T00:00:00.000Z'",
        "INSERT INTO api_token (id, name, scopes, secret_sha256) VALUES ('bbbbbbbbbb', 'used', 'read', zeroblob(32))",
        "UPDATE api_token SET last_used_at = '2026-11-26T10:00:00.000Z' WHERE id = 'bbbbbbbbbb'",
        &format!("{CERTIFICATE} VALUES ('cccccccccc', 'mtls', 'submit', '{}')", "7".repeat(64)),
        &format!("{CERTIFICATE} VALUES ('dddddddddd', 'gone', 'submit', '{}')", "8".repeat(64)),
        "UPDATE api_token SET revoked_at = '2026-11-26T10:00:00.000Z' WHERE id = 'dddddddddd'",
    ] {
        database.allows(sql);
    }
    database
}

const CERTIFICATE: &str = "INSERT INTO api_token (id, name, scopes, certificate_sha256)";

#[test]
fn a_token_is_never_deleted_or_replaced() {
    let database = database();
    database
        .refuses("only revoked", &["DELETE FROM api_token", "DELETE FROM api_token WHERE id = 'dddddddddd'"]);
    let same_certificate = format!("VALUES ('eeeeeeeeee', 'mine', 'admin', '{}')", "7".repeat(64));
    let secret = "(id, name, scopes, secret_sha256) VALUES ('aaaaaaaaaa', 'mine', 'admin', zeroblob(32))";
    database.refuses(
        "a token with this id or certificate is there already",
        &[
            &format!("INSERT INTO api_token {secret}"),
            &format!("REPLACE INTO api_token {secret}"),
            &format!("INSERT OR REPLACE INTO api_token {secret}"),
            &format!("INSERT INTO api_token {secret} ON CONFLICT (id) DO UPDATE SET scopes = 'admin'"),
            &format!("{CERTIFICATE} {same_certificate}"),
            &format!("{} {same_certificate}", CERTIFICATE.replace("INSERT", "REPLACE")),
        ],
    );
    // The index holds it alone, should the trigger be gone.
    database.allows("DROP TRIGGER api_token_no_replace");
    database.refuses(
        "UNIQUE constraint failed: api_token.certificate_sha256",
        &[&format!("{CERTIFICATE} {same_certificate}")],
    );
    // The certificate of a revoked token is free again.
    database.allows(&format!("{CERTIFICATE} VALUES ('eeeeeeeeee', 'next', 'submit', '{}')", "8".repeat(64)));
}

#[test]
fn what_a_token_is_and_may_do_never_changes() {
    let database = database();
    database.refuses(
        "what a token is and may do cannot be changed",
        &[
            "UPDATE api_token SET scopes = 'submit,read,operate,admin' WHERE id = 'aaaaaaaaaa'",
            "UPDATE api_token SET name = 'other' WHERE id = 'aaaaaaaaaa'",
            "UPDATE api_token SET created_at = '2020' WHERE id = 'aaaaaaaaaa'",
            "UPDATE OR REPLACE api_token SET id = 'bbbbbbbbbb' WHERE id = 'aaaaaaaaaa'",
            &format!("UPDATE api_token SET certificate_sha256 = '{}' WHERE id = 'cccccccccc'", "9".repeat(64)),
            "UPDATE api_token SET certificate_sha256 = NULL, secret_sha256 = zeroblob(32) WHERE id = 'cccccccccc'",
        ],
    );
    database.refuses("no such column: rowid", &["UPDATE api_token SET rowid = 1"]);
}

#[test]
fn a_revoked_token_stays_revoked() {
    let database = database();
    database.refuses(
        "a revoked token stays as it is",
        &[
            "UPDATE api_token SET revoked_at = NULL WHERE id = 'dddddddddd'",
            "UPDATE api_token SET revoked_at = '2099-01-01T00:00:00.000Z' WHERE id = 'dddddddddd'",
            "UPDATE api_token SET last_used_at = '2099-01-01T00:00:00.000Z' WHERE id = 'dddddddddd'",
        ],
    );
    database.allows("UPDATE api_token SET revoked_at = '2099-01-01T00:00:00.000Z' WHERE id = 'aaaaaaaaaa'");
    database.refuses(
        "a revoked token stays as it is",
        &["UPDATE api_token SET secret_sha256 = randomblob(32), previous_sha256 = NULL, previous_until = NULL \
           WHERE id = 'aaaaaaaaaa'"],
    );
}

#[test]
fn only_a_rotation_gives_a_token_more_time() {
    let database = database();
    database.refuses(
        "only a rotation changes the end and the previous secret of a token",
        &[
            "UPDATE api_token SET expires_at = NULL WHERE id = 'aaaaaaaaaa'",
            "UPDATE api_token SET expires_at = '2100-01-01T00:00:00.000Z' WHERE id = 'cccccccccc'",
            "UPDATE api_token SET previous_until = '2100-01-01T00:00:00.000Z' WHERE id = 'aaaaaaaaaa'",
            "UPDATE api_token SET previous_sha256 = randomblob(32) WHERE id = 'aaaaaaaaaa'",
            "UPDATE api_token SET previous_sha256 = randomblob(32), previous_until = '2100-01-01T00:00:00.000Z' \
             WHERE id = 'bbbbbbbbbb'",
            "UPDATE api_token SET secret_sha256 = randomblob(32) WHERE id = 'aaaaaaaaaa'",
            "UPDATE api_token SET secret_sha256 = randomblob(32), previous_sha256 = randomblob(32), \
             previous_until = '2100-01-01T00:00:00.000Z' WHERE id = 'bbbbbbbbbb'",
        ],
    );
    database
        .allows("UPDATE api_token SET previous_sha256 = NULL, previous_until = NULL WHERE id = 'aaaaaaaaaa'");
    database.allows(
        "UPDATE api_token SET secret_sha256 = randomblob(32), previous_sha256 = secret_sha256, \
         previous_until = '2100-01-01T00:00:00.000Z', expires_at = NULL WHERE id = 'aaaaaaaaaa'",
    );
    database.refuses(
        "the last use of a token only rises",
        &[
            "UPDATE api_token SET last_used_at = NULL WHERE id = 'bbbbbbbbbb'",
            "UPDATE api_token SET last_used_at = '2026-11-26T09:59:59.999Z' WHERE id = 'bbbbbbbbbb'",
        ],
    );
}

#[test]
fn an_illegal_token_cannot_be_stored() {
    let database = database();
    let values = |id: &str, name: &str, scopes: &str, secret: &str, certificate: &str, end: &str| {
        format!(
            "INSERT INTO api_token (id, name, scopes, secret_sha256, certificate_sha256, expires_at) \
             VALUES ({id}, {name}, {scopes}, {secret}, {certificate}, {end})"
        )
    };
    let (id, name, read, secret, key) =
        ("'eeeeeeeeee'", "'n'", "'read'", "zeroblob(32)", format!("'{}'", "9".repeat(64)));
    database.refuses(
        "constraint failed",
        &[
            &values("'short'", name, read, secret, "NULL", "NULL"),
            &values("'EEEEEEEEEE'", name, read, secret, "NULL", "NULL"),
            &values("NULL", name, read, secret, "NULL", "NULL"),
            &values("CAST('eeeeeeeeee' AS BLOB)", name, read, secret, "NULL", "NULL"),
            &values(id, "''", read, secret, "NULL", "NULL"),
            &values(id, "NULL", read, secret, "NULL", "NULL"),
            &values(id, name, "''", secret, "NULL", "NULL"),
            &values(id, name, "'read,submit'", secret, "NULL", "NULL"),
            &values(id, name, "'all'", secret, "NULL", "NULL"),
            &values(id, name, read, "NULL", "NULL", "NULL"),
            &values(id, name, read, secret, &key, "NULL"),
            &values(id, name, read, "zeroblob(31)", "NULL", "NULL"),
            &values(id, name, read, "'a text of thirty-two characters.'", "NULL", "NULL"),
            &values(id, name, read, "NULL", "'9'", "NULL"),
            &values(id, name, read, secret, "NULL", "'2099'"),
            &values(id, name, read, secret, "NULL", "'tomorrow'"),
            &values(id, name, read, secret, "NULL", "2099"),
            "UPDATE api_token SET revoked_at = 'now and then' WHERE id = 'aaaaaaaaaa'",
        ],
    );
    let begun = "INSERT INTO api_token (id, name, scopes, secret_sha256,";
    let past = "'2026-11-26T10:00:00.000Z'";
    database.refuses(
        "a token begins with one secret",
        &[
            &format!("{begun} revoked_at) VALUES ({id}, {name}, {read}, {secret}, {past})"),
            &format!("{begun} last_used_at) VALUES ({id}, {name}, {read}, {secret}, {past})"),
            &format!(
                "{begun} previous_sha256, previous_until) VALUES ({id}, {name}, {read}, {secret}, randomblob(32), {past})"
            ),
        ],
    );
    database.allows(&values(
        id,
        name,
        "'submit,read,operate,admin'",
        secret,
        "NULL",
        "'2099-01-01T00:00:00.000Z'",
    ));
}

/// A session that lasts, and one whose time is over.
fn with_sessions() -> Database {
    let database = database();
    for (id, parent, end) in [("eeeeeeeeee", "aaaaaaaaaa", "2099"), ("ffffffffff", "terminal", "2026")] {
        database.allows(&format!(
            "INSERT INTO api_token (id, name, scopes, secret_sha256, parent, expires_at) \
             VALUES ('{id}', 'n', 'read', zeroblob(32), '{parent}', '{end}-01-01T00:00:00.000Z')"
        ));
    }
    database
}

#[test]
fn a_session_keeps_its_secret_and_its_end_and_goes_only_when_its_time_is_over() {
    let database = with_sessions();
    database.refuses(
        "what a token is and may do cannot be changed",
        &[
            "UPDATE api_token SET parent = NULL WHERE id = 'eeeeeeeeee'",
            "UPDATE api_token SET parent = 'terminal' WHERE id = 'eeeeeeeeee'",
            "UPDATE api_token SET parent = 'terminal' WHERE id = 'bbbbbbbbbb'",
            "UPDATE api_token SET secret_sha256 = randomblob(32) WHERE id = 'eeeeeeeeee'",
            "UPDATE api_token SET secret_sha256 = randomblob(32), previous_sha256 = secret_sha256, \
             previous_until = '2098-01-01T00:00:00.000Z' WHERE id = 'eeeeeeeeee'",
            "UPDATE api_token SET secret_sha256 = randomblob(32), expires_at = '2100-01-01T00:00:00.000Z' \
             WHERE id = 'ffffffffff'",
        ],
    );
    database.refuses(
        "only revoked",
        &["DELETE FROM api_token WHERE id = 'eeeeeeeeee'", "DELETE FROM api_token WHERE parent IS NOT NULL"],
    );
    let session = "INSERT INTO api_token (id, name, scopes, secret_sha256, parent, expires_at) \
                   VALUES ('gggggggggg', 'n', 'read', zeroblob(32),";
    database.refuses(
        "constraint failed",
        &[
            &format!("{session} 'terminal', NULL)"),
            &format!("{session} 'other', '2099-01-01T00:00:00.000Z')"),
            &format!("{session} '', '2099-01-01T00:00:00.000Z')"),
            &format!("{session} x'61616161616161616161', '2099-01-01T00:00:00.000Z')"),
        ],
    );
    database.allows("UPDATE api_token SET revoked_at = '2026-11-26T10:00:00.000Z' WHERE id = 'eeeeeeeeee'");
    database.refuses("only revoked", &["DELETE FROM api_token WHERE id = 'eeeeeeeeee'"]);
    database.allows("DELETE FROM api_token WHERE id = 'ffffffffff'");
}

#[test]
fn the_audit_log_is_append_only_and_has_no_gaps() {
    let database = database();
    assert_eq!(database.store.audit_log(signwave::domain::AuditId(0), 9).unwrap().len(), 3, "three keys");
    database.refuses(
        "the audit log cannot be changed",
        &["UPDATE api_audit SET who = 'cli:other'", "UPDATE OR REPLACE api_audit SET id = 2 WHERE id = 1"],
    );
    database.refuses(
        "the audit log cannot be deleted",
        &["DELETE FROM api_audit", "DELETE FROM api_audit WHERE id = 3"],
    );
    let insert = "INTO api_audit (id, who, action, object) VALUES";
    database.refuses(
        "this row of the audit log is there already",
        &[
            &format!("INSERT {insert} (3, 'cli:other', 'key.add', 'x')"),
            &format!("REPLACE {insert} (1, 'cli:other', 'key.add', 'x')"),
        ],
    );
    database
        .refuses("numbered without gaps", &[&format!("INSERT {insert} (9, 'cli:other', 'key.add', 'x')")]);
    database.refuses(
        "constraint failed",
        &[
            &format!("INSERT {insert} (NULL, 'other', 'key.add', 'x')"),
            &format!("INSERT {insert} (NULL, 'cli:', 'key.add', 'x')"),
            &format!("INSERT {insert} (NULL, 'cli:other', 'add', 'x')"),
            &format!("INSERT {insert} (NULL, 'cli:other', 'key.add', '')"),
            &format!("INSERT {insert} (NULL, NULL, 'key.add', 'x')"),
        ],
    );
    database.allows("INSERT INTO api_audit (who, action, object) VALUES ('node:n', 'key.state', 'x')");
}

#[test]
fn verify_notices_a_row_of_the_audit_log_that_is_gone() {
    let database = database();
    assert_eq!(database.store.audit().unwrap(), Vec::<String>::new());
    database.allows("DROP TRIGGER api_audit_no_delete; DELETE FROM api_audit WHERE id = 2");
    let problems = database.store.audit().unwrap();
    assert!(
        problems
            .contains(&"the audit log ends with row 3, but has 2 rows: rows were deleted from it".to_owned()),
        "{problems:?}"
    );
    database.allows("DROP TABLE api_audit");
    let problems = database.store.audit().unwrap();
    assert!(problems.contains(&"table 'api_audit' is missing".to_owned()), "{problems:?}");
}
