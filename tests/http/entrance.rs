//! The link that `serve` prints on a terminal.

use std::time::Duration;

use serde_json::json;
use support::{
    api::{Api, json as body},
    process::Running,
    sandbox::Sandbox,
    waiting::until,
};

use crate::{
    access::token,
    sessions::{cookie, sign_in},
};

const SOON: Duration = Duration::from_secs(60);

/// A service whose standard output is a terminal, which `script` makes, and whose log is the file `service.log`; with the
/// code of the link.
fn on_a_terminal(sandbox: &Sandbox) -> (Api, String) {
    let binary = sandbox.command(&[]).get_program().to_owned().into_string().unwrap();
    let serve = format!("exec '{binary}' serve --listen 127.0.0.1:0 2>service.log");
    let command = sandbox.program("script", &["-qfec", &serve, "/dev/null"]);
    let terminal = Running::start(command, sandbox.path("terminal.txt"));
    let link = || {
        let printed = terminal.log();
        let (_, rest) = printed.split_once("Dashboard: ")?;
        rest.contains('\n').then_some(())?; // the whole line
        let (link, rest) = rest.split_once(' ')?;
        let (url, code) = link.split_once("/#sign-in=")?;
        assert!(rest.starts_with("(works once, within 5 minutes)"), "{printed}");
        Some((url.to_owned(), code.to_owned()))
    };
    until("the link is printed", SOON, || link().is_some());
    let (url, code) = link().unwrap();
    (Api::at(terminal, url), code)
}

#[test]
fn the_link_signs_in_once_with_all_scopes_and_is_not_in_the_log() {
    let sandbox = Sandbox::migrated();
    let (api, code) = on_a_terminal(&sandbox);
    assert!(code.len() >= 26, "128 bits have 26 characters: {code}");
    for wrong in ["", &code[1..], &code.to_uppercase(), &token(&sandbox, &["--scope", "read"])] {
        assert_eq!(sign_in(&api, &json!({"code": wrong})).status(), 401, "{wrong}");
    }
    let answer = sign_in(&api, &json!({"code": code}));
    assert_eq!(answer.status(), 200);
    let cookie = cookie(&answer).0;
    let session = body(answer);
    assert!(session["name"].as_str().unwrap().starts_with("terminal of "), "{session}");
    assert_eq!(session["scopes"], json!(["submit", "read", "operate", "admin"]));
    assert_eq!(sign_in(&api, &json!({"code": code})).status(), 401, "once");
    let log = body(api.get("/v1/audit", &[("cookie", &cookie)]));
    let added = log["changes"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&added["action"], &added["address"]), (&json!("session.add"), &json!("127.0.0.1")));
    assert!(added["who"].as_str().unwrap().starts_with("cli:"), "{added}");
    let sessions = body(api.get("/v1/tokens?sessions=true", &[("cookie", &cookie)]));
    assert_eq!(sessions["tokens"][0]["parent"], "terminal");
    let written = sandbox.read("service.log") + &log.to_string() + &sessions.to_string();
    assert!(written.contains("the API answers at") && !written.contains(&code[..10]), "{written}");
    let stored = std::fs::read(sandbox.path("signwave.db")).unwrap();
    let wal = std::fs::read(sandbox.path("signwave.db-wal")).unwrap_or_default();
    let holds_code = |bytes: &[u8]| bytes.windows(code.len()).any(|window| window == code.as_bytes());
    assert!(!holds_code(&stored) && !holds_code(&wal));
}

#[test]
fn another_start_has_another_link() {
    let sandbox = Sandbox::migrated();
    let (first, code) = on_a_terminal(&sandbox);
    drop(first);
    let (second, other) = on_a_terminal(&sandbox);
    assert_ne!(code, other);
    assert_eq!(sign_in(&second, &json!({"code": code})).status(), 401);
    assert_eq!(sign_in(&second, &json!({"code": other})).status(), 200);
}

#[test]
fn without_a_terminal_no_link_is_made_and_the_log_says_how_to_sign_in() {
    let sandbox = Sandbox::migrated();
    let api = Api::start(&sandbox, &[]);
    let expected =
        format!("the dashboard is at {}/: a token that 'signwave tokens create' makes signs in", api.url);
    until("the log says it", SOON, || api.service.log().contains(&expected));
    assert!(!api.service.log().contains("sign-in="));
    assert_eq!(sign_in(&api, &json!({"code": ""})).status(), 401);
    let outside = ["--listen", "0.0.0.0:0", "--plain-http", "--allowed-hosts", "signer.example"];
    let command = sandbox.command(&[&["serve"], &outside[..]].concat());
    let outside = Running::start(command, sandbox.path("outside.log"));
    until("a browser can go there", SOON, || {
        outside.log().contains("dashboard is at http://signer.example:")
    });
}
