//! Who is answered: every route, with every kind of token, as the table of routes says.

use signwave::{
    domain::Scope,
    http::{Needs, ROUTES},
};
use support::{
    api::{Api, json},
    sandbox::Sandbox,
    waiting::until,
};
use ureq::{SendBody, http::Request};

pub fn token(sandbox: &Sandbox, arguments: &[&str]) -> String {
    sandbox.ok(&[&["tokens", "create", "--name", "test"], arguments].concat()).trim().to_owned()
}

/// The status of an answer to a request for a route, with these headers.
pub fn status(api: &Api, method: &str, pattern: &str, headers: &[(&str, &str)]) -> u16 {
    // No record, key, batch or token has such a name, so nothing is changed.
    let path = pattern.replace("{id}", "999999").replace("{fingerprint}", &"0".repeat(64));
    let path =
        path.replace("{name}", "absent").replace("{slug}", "not-found").replace("{file}", "index.html");
    let path = path.replace("{path:.*}", "main.js");
    let mut request = Request::builder().method(method).uri(format!("{}{path}", api.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = api.send(request.body(SendBody::none()).unwrap());
    let status = answer.status().as_u16();
    assert!(answer.headers().contains_key("x-request-id"), "{method} {pattern}");
    status
}

#[test]
fn every_route_answers_exactly_those_who_have_its_scope() {
    let sandbox = Sandbox::migrated();
    sandbox.ok(&["keys", "generate"]);
    let api = Api::start(&sandbox, &[]);
    let with = |scope: Scope| token(&sandbox, &["--scope", scope.name()]);
    let tokens = Scope::ALL.map(|scope| (scope, format!("Bearer {}", with(scope))));
    let all = ["--scope", "submit,read,operate,admin"];
    let expired = token(&sandbox, &[&all[..], &["--expires", "1s"]].concat());
    let revoked = token(&sandbox, &all);
    sandbox.ok(&["tokens", "revoke", &revoked[4..14]]);
    let rejected = |token: &str| {
        let bearer = format!("Bearer {token}");
        status(&api, "GET", "/v1/status", &[("authorization", &bearer)]) == 401
    };
    until("the token has expired", std::time::Duration::from_secs(30), || rejected(&expired));
    // The last characters are a check: a token with another secret is well formed only if another one was made.
    let other = Sandbox::migrated();
    let foreign = token(&other, &all);
    let refused = ["swt_nonsense", &foreign, &expired, &revoked, ""].map(|token| format!("Bearer {token}"));

    for entry in ROUTES {
        let (method, pattern) = (entry.method.as_str(), entry.pattern);
        let foreign_page = [("origin", "https://evil.example"), ("authorization", tokens[0].1.as_str())];
        assert_eq!(
            status(&api, method, pattern, &foreign_page),
            403,
            "{method} {pattern} from another origin"
        );
        let got = status(&api, method, pattern, &[]);
        if entry.needs == Needs::Nothing {
            assert!(![401, 403].contains(&got), "{method} {pattern} is public: {got}");
            continue;
        }
        assert_eq!(got, 401, "{method} {pattern} without a token");
        for bearer in &refused {
            assert_eq!(
                status(&api, method, pattern, &[("authorization", bearer)]),
                401,
                "{method} {pattern} {bearer}"
            );
        }
        for (scope, bearer) in &tokens {
            let got = status(&api, method, pattern, &[("authorization", bearer)]);
            let is_let_in = got != 401 && got != 403;
            assert!(got < 500, "{method} {pattern} with {scope}: {got}");
            // A token is no session: tests/http/sessions.rs asks with those.
            assert_eq!(
                is_let_in,
                entry.needs == Needs::Scope(*scope),
                "{method} {pattern} with {scope}: {got}"
            );
        }
    }
    for secret in refused.iter().chain(tokens.iter().map(|(_, token)| token)).filter(|token| token.len() > 40)
    {
        assert!(!api.service.log().contains(&secret[25..60]), "a secret is in the log");
    }
}

#[test]
fn tokens_are_managed_over_http_and_nobody_gives_more_than_he_has() {
    let sandbox = Sandbox::migrated();
    let api = Api::start(&sandbox, &[]);
    let admin = token(&sandbox, &["--scope", "admin,read"]);
    let bearer = format!("Bearer {admin}");
    let send = |method: &str, path: &str, body: &str| {
        let request = Request::builder().method(method).uri(format!("{}{path}", api.url));
        let request = request.header("authorization", &bearer).header("content-type", "application/json");
        api.send(request.body(SendBody::from_owned_reader(std::io::Cursor::new(body.to_owned()))).unwrap())
    };
    assert_eq!(send("POST", "/v1/tokens", r#"{"name":"x","scopes":["submit"]}"#).status(), 403);
    assert_eq!(send("POST", "/v1/tokens", r#"{"name":"x","scopes":[]}"#).status(), 400);
    let made = send("POST", "/v1/tokens", r#"{"name":"x","scopes":["read"],"expires_in":"1h"}"#);
    assert_eq!(made.status(), 201);
    let made = json(made);
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let status = |secret: &str| {
        let bearer = format!("Bearer {secret}");
        api.get("/v1/status", &[("authorization", &bearer)]).status().as_u16()
    };
    assert_eq!(status(secret), 200);
    let rotated = json(send("POST", &format!("/v1/tokens/{id}/rotate"), r#"{"overlap":"0s"}"#));
    assert_eq!((status(secret), status(rotated["secret"].as_str().unwrap())), (401, 200), "at once");
    assert_eq!(send("DELETE", &format!("/v1/tokens/{id}"), "").status(), 204);
    assert_eq!(status(rotated["secret"].as_str().unwrap()), 401, "at once");
    assert_eq!(send("POST", &format!("/v1/tokens/{id}/rotate"), "{}").status(), 409);
    let log = json(send("GET", "/v1/audit", ""));
    let by_api =
        |change: &&serde_json::Value| change["who"].as_str() == Some(&format!("token:{}", &admin[4..14]));
    let changes: Vec<_> = log["changes"].as_array().unwrap().iter().filter(by_api).collect();
    let actions: Vec<_> = changes.iter().map(|change| change["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["token.add", "token.rotate", "token.revoke"]);
    assert!(changes.iter().all(|change| change["object"] == id && change["address"] == "127.0.0.1"));
    assert!(!log.to_string().contains(&secret[20..60]));
}
