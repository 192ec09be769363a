//! Tokens of the API, as people manage them, and the log of what was changed.

use serde_json::Value;
use signwave::{
    access::{Refusal, Token, authorize},
    store::{self, DatabaseUrl, StoredToken},
};
use support::{openssl::openssl, sandbox::Sandbox};

const NOW: std::time::Duration = std::time::Duration::ZERO;

fn list(sandbox: &Sandbox) -> Vec<Value> {
    serde_json::from_str(&sandbox.ok(&["tokens", "list", "--json"])).unwrap()
}

fn log(sandbox: &Sandbox) -> Vec<Value> {
    let lines = sandbox.ok(&["audit-log", "--json"]);
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The token that a command prints, alone and on a line.
fn printed(stdout: &str) -> Token {
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    Token::parse(stdout.trim_end_matches('\n')).unwrap()
}

fn stored(sandbox: &Sandbox, token: &Token) -> StoredToken {
    let store = store::open_to_read(&DatabaseUrl::Sqlite(sandbox.path("signwave.db"))).unwrap();
    store.token(token.id()).unwrap().unwrap()
}

fn create(sandbox: &Sandbox, scopes: &str) -> Token {
    printed(&sandbox.ok(&["tokens", "create", "--name", "ci", "--scope", scopes]))
}

#[test]
fn a_new_token_is_printed_once_and_is_valid() {
    let sandbox = Sandbox::migrated();
    let output = sandbox.run(&["tokens", "create", "--name", "Ada's laptop", "--scope", "read,submit"]);
    let token = printed(std::str::from_utf8(&output.stdout).unwrap());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("token {} may submit, read, until 20", token.id())), "{said}");
    let stored = stored(&sandbox, &token);
    assert_eq!(authorize(&stored, &token, NOW), Ok("submit,read".parse().unwrap()));
    let days = stored.row.remaining.unwrap().as_secs_f64() / 86_400.0;
    assert!((89.9..=90.0).contains(&days), "{days}");
    let listed = list(&sandbox);
    assert_eq!(listed.len(), 1);
    let fields = ["id", "name", "state", "scopes", "certificate_key", "last_used_at"];
    let expected =
        serde_json::json!([token.id().as_str(), "Ada's laptop", "active", ["submit", "read"], null, null]);
    assert_eq!(fields.map(|field| listed[0][field].clone()).to_vec(), *expected.as_array().unwrap());
    let table = sandbox.ok(&["tokens", "list"]);
    assert!(table.lines().nth(1).unwrap().starts_with(token.id().as_str()), "{table}");
    assert!(table.lines().nth(1).unwrap().ends_with("  Ada's laptop"), "{table}");
}

#[test]
fn how_long_a_token_can_be_used_is_said_at_its_making() {
    let sandbox = Sandbox::migrated();
    let with = |life: &str| {
        printed(&sandbox.ok(&["tokens", "create", "--name", "n", "--scope", "read", "--expires", life]))
    };
    let endless = with("never");
    assert_eq!(stored(&sandbox, &endless).row.expires_at, None);
    let second = with("1s");
    assert_eq!(
        authorize(&stored(&sandbox, &second), &second, std::time::Duration::from_secs(1)),
        Err(Refusal::Expired)
    );
    for (life, why) in
        [("0s", "from a second to ten years"), ("soon", "a duration such as 12h"), ("11y", "ten years")]
    {
        let output = sandbox.run(&["tokens", "create", "--name", "n", "--scope", "read", "--expires", life]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(why), "{said}");
    }
}

#[test]
fn what_is_missing_or_wrong_is_said_before_anything_is_made() {
    let sandbox = Sandbox::migrated();
    for (arguments, why) in [
        (&["--scope", "read"][..], "--name"),
        (&["--name", "n"], "--scope"),
        (
            &["--name", "n", "--scope", "all"],
            "unknown scope 'all': the scopes are submit, read, operate and admin",
        ),
        (&["--name", "n", "--scope", ""], "unknown scope"),
        (&["--name", "", "--scope", "read"], "1 to 100 characters"),
        (&["--name", "n", "--scope", "read", "--client-certificate", "none.pem"], "cannot be read"),
    ] {
        let output = sandbox.run(&[&["tokens", "create"], arguments].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty() && said.contains(why), "{why}: {said}");
    }
    assert_eq!(list(&sandbox), Vec::<Value>::new());
    assert_eq!(sandbox.ok(&["audit-log", "--json"]), "");
}

#[test]
fn a_token_is_rotated_and_revoked_by_its_id_or_by_itself() {
    let sandbox = Sandbox::migrated();
    let old = create(&sandbox, "submit");
    let new = printed(&sandbox.ok(&["tokens", "rotate", old.id().as_str()]));
    assert_eq!(new.id(), old.id());
    let both = stored(&sandbox, &old);
    assert!([&old, &new].into_iter().all(|token| authorize(&both, token, NOW).is_ok()));
    let hours = both.previous.unwrap().1.as_secs_f64() / 3600.0;
    assert!((23.9..=24.0).contains(&hours), "{hours}");

    let last =
        printed(&sandbox.ok(&["tokens", "rotate", &new.text(), "--overlap", "0s", "--expires", "never"]));
    let only = stored(&sandbox, &old);
    assert_eq!([&old, &new].map(|token| authorize(&only, token, NOW)), [Err(Refusal::Wrong); 2]);
    assert!(authorize(&only, &last, NOW).is_ok() && only.row.expires_at.is_none());

    // Whoever finds a token that leaked has the token.
    sandbox.ok(&["tokens", "revoke", &last.text()]);
    assert_eq!(authorize(&stored(&sandbox, &old), &last, NOW), Err(Refusal::Revoked));
    assert_eq!(list(&sandbox)[0]["state"], "revoked");
    sandbox.ok(&["tokens", "revoke", last.id().as_str()]);
    let error = sandbox.fails(1, &["tokens", "rotate", last.id().as_str()]);
    assert!(error.contains("is revoked, which is final"), "{error}");
}

#[test]
fn a_token_that_is_not_there_is_named_and_what_may_be_a_secret_is_not() {
    let sandbox = Sandbox::migrated();
    let token = Token::issue();
    for command in ["rotate", "revoke"] {
        let unknown = format!("there is no token {}: 'signwave tokens list' shows the ids", token.id());
        assert_eq!(sandbox.fails(1, &["tokens", command, token.id().as_str()]), unknown);
        assert_eq!(sandbox.fails(1, &["tokens", command, &token.text()]), unknown);
        let cut = &token.text()[..70];
        let error = sandbox.fails(2, &["tokens", command, cut]);
        assert!(
            error.starts_with("the id of a token is 10 characters") && !error.contains(&cut[15..25]),
            "{error}"
        );
    }
}

/// A file with a certificate of a new key, and SHA-256 of the key's SubjectPublicKeyInfo.
fn certificate(sandbox: &Sandbox, name: &str) -> String {
    let folder = sandbox.path("");
    openssl(
        &folder,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.pem \
             -subj /CN={name} -days 9"
        ),
    );
    openssl(&folder, &format!("pkey -in {name}.key -pubout -outform DER -out {name}.spki"));
    let digest = openssl(&folder, &format!("dgst -sha256 -r {name}.spki"));
    String::from_utf8(digest[..64].to_vec()).unwrap()
}

#[test]
fn a_client_certificate_stands_for_a_token_without_a_secret() {
    let sandbox = Sandbox::migrated();
    let key = certificate(&sandbox, "gateway");
    let create = |file: &str| {
        let arguments =
            ["tokens", "create", "--name", "gateway", "--scope", "submit", "--client-certificate", file];
        sandbox.run(&arguments)
    };
    let made = String::from_utf8(create("gateway.pem").stdout).unwrap();
    let id = made.trim_end();
    let listed = list(&sandbox);
    assert_eq!((&listed[0]["id"], &listed[0]["certificate_key"]), (&id.into(), &key.as_str().into()));
    assert!(sandbox.ok(&["tokens", "list"]).contains(&format!("gateway  (certificate key {})", &key[..16])));
    let error = sandbox.fails(1, &["tokens", "rotate", id]);
    assert!(error.contains("has no secret, because a client certificate stands for it"), "{error}");
    let said = String::from_utf8(create("gateway.pem").stderr).unwrap();
    assert!(said.contains(&format!("stands for token {id} already")), "{said}");
    sandbox.ok(&["tokens", "revoke", id]);
    assert!(create("gateway.pem").status.success());
    for (file, why) in
        [("gateway.key", "has no CERTIFICATE block"), ("gateway.spki", "not an X.509 certificate")]
    {
        let output = create(file);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(why), "{said}");
    }
}

#[test]
fn every_change_is_in_the_log_with_who_made_it() {
    let sandbox = Sandbox::migrated();
    sandbox.ok(&["keys", "generate"]);
    sandbox.ok(&["keys", "disable", "1", "--reason", "on\nholiday"]);
    let token = create(&sandbox, "admin");
    sandbox.ok(&["tokens", "rotate", token.id().as_str()]);
    sandbox.ok(&["tokens", "revoke", token.id().as_str()]);
    let rows = log(&sandbox);
    let actions: Vec<_> = rows.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["key.add", "key.state", "token.add", "token.rotate", "token.revoke"]);
    let user = sandbox.program("id", &["-un"]).output().unwrap();
    let user = format!("cli:{}@", String::from_utf8(user.stdout).unwrap().trim_end());
    assert!(rows.iter().all(|row| row["who"].as_str().unwrap().starts_with(&user)), "{rows:?}");
    assert_eq!((&rows[1]["before"], &rows[1]["after"]), (&"active".into(), &"disabled: on\nholiday".into()));
    assert_eq!(rows[4]["object"], token.id().as_str());
    // For people: a line each, whatever the texts are.
    let table = sandbox.ok(&["audit-log"]);
    assert_eq!(table.lines().count(), 6, "{table}");
    assert!(table.lines().nth(2).unwrap().ends_with("active -> disabled: on\\nholiday"), "{table}");
    let rest = sandbox.ok(&["audit-log", "--json", "--after", "3"]);
    assert_eq!(rest.lines().count(), 2);
    assert_eq!(serde_json::from_str::<Value>(rest.lines().next().unwrap()).unwrap(), rows[3]);
}

/// `USER` and `LOGNAME` are for anybody to set.
#[test]
fn the_log_does_not_ask_the_environment_who_it_is() {
    let sandbox = Sandbox::migrated();
    let mut command = sandbox.command(&["keys", "generate"]);
    assert!(command.envs([("USER", "mallory"), ("LOGNAME", "mallory")]).output().unwrap().status.success());
    assert!(!log(&sandbox)[0]["who"].as_str().unwrap().contains("mallory"));
}
