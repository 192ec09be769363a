//! Sessions of the dashboard: who gets one, what it may do, what ends it, and which requests with its cookie are refused.

use serde_json::{Value, json};
use signwave::{
    domain::Scope,
    http::{Needs, ROUTES},
};
use support::{
    api::{Api, Body, Request, Response, SendBody, json as body},
    openssl::{TLS, server_certificate},
    sandbox::{Sandbox, succeeded},
    waiting::until,
};

use crate::access::{status, token};

/// What the service's own page sends.
const OWN_PAGE: (&str, &str) = ("sec-fetch-site", "same-origin");

fn ask(
    api: &Api,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    sent: Option<&Value>,
) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(format!("{}{path}", api.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let sent = match sent {
        None => SendBody::none(),
        Some(value) => {
            request = request.header("content-type", "application/json");
            SendBody::from_owned_reader(std::io::Cursor::new(value.to_string()))
        }
    };
    api.send(request.body(sent).unwrap())
}

pub fn sign_in(api: &Api, credentials: &Value) -> Response<Body> {
    ask(api, "POST", "/v1/session", &[OWN_PAGE], Some(credentials))
}

/// The name and the value of the cookie that an answer sets, and its attributes.
pub fn cookie(answer: &Response<Body>) -> (String, String) {
    let header = answer.headers()["set-cookie"].to_str().unwrap();
    let (pair, attributes) = header.split_once("; ").unwrap();
    (pair.to_owned(), attributes.to_owned())
}

/// The cookie of a new session.
fn session(api: &Api, token: &str) -> String {
    let answer = sign_in(api, &json!({"token": token}));
    assert_eq!(answer.status(), 200);
    cookie(&answer).0
}

fn status_with(api: &Api, cookie: &str) -> u16 {
    ask(api, "GET", "/v1/session", &[("cookie", cookie)], None).status().as_u16()
}

#[test]
fn a_session_may_do_on_every_route_what_its_token_may_and_only_from_its_own_page() {
    let sandbox = Sandbox::migrated();
    sandbox.ok(&["keys", "generate"]);
    let api = Api::start(&sandbox, &["--cors-origins", "https://app.example"]);
    let sessions =
        Scope::ALL.map(|scope| (scope, session(&api, &token(&sandbox, &["--scope", scope.name()]))));
    let own_origin = ("origin", api.url.as_str());
    for entry in ROUTES {
        let (method, pattern) = (entry.method.as_str(), entry.pattern);
        let Needs::Scope(needed) = entry.needs else { continue };
        for (scope, cookie) in &sessions {
            let with = |headers: &[(&str, &str)]| {
                status(&api, method, pattern, &[&[("cookie", cookie.as_str())], headers].concat())
            };
            for own in [OWN_PAGE, ("sec-fetch-site", "none"), own_origin] {
                let got = with(&[own]);
                let is_let_in = got != 401 && got != 403;
                assert_eq!(is_let_in, *scope == needed, "{method} {pattern} with {scope}: {got}");
            }
            for foreign in [
                &[("sec-fetch-site", "cross-site")][..],
                &[("sec-fetch-site", "same-site")],
                &[("sec-fetch-site", "cross-site"), own_origin],
                &[("origin", "https://app.example")],
                &[("origin", "null")],
            ] {
                assert_eq!(with(foreign), 403, "{method} {pattern} {foreign:?}");
            }
            // Old browsers say nothing.
            if *scope == needed {
                assert_eq!(with(&[]) == 403, method != "GET", "{method} {pattern}");
            }
        }
    }
    // What is public needs nothing, from wherever a link leads there.
    for path in ["/", "/docs/index.html", "/health/live"] {
        let headers = [("cookie", sessions[0].1.as_str()), ("sec-fetch-site", "cross-site")];
        assert_eq!(api.get(path, &headers).status(), 200, "{path}");
    }
    let allowed = api.get("/v1/status", &[("origin", "https://app.example"), ("cookie", &sessions[1].1)]);
    assert!(!allowed.headers().contains_key("access-control-allow-credentials"));
    assert!(sessions.iter().all(|(_, cookie)| !api.service.log().contains(&cookie[25..60])));
}

#[test]
fn signing_in_gives_a_cookie_and_says_what_it_may_do() {
    let sandbox = Sandbox::migrated();
    let api = Api::start(&sandbox, &[]);
    let token = token(&sandbox, &["--scope", "read,admin", "--expires", "1h"]);
    let answer = sign_in(&api, &json!({"token": token}));
    let (pair, attributes) = cookie(&answer);
    let (life, rest) = attributes.strip_prefix("Path=/; Max-Age=").unwrap().split_once("; ").unwrap();
    assert_eq!((pair.split_once('=').unwrap().0, rest), ("signwave", "HttpOnly; SameSite=Strict"));
    assert!((3500..=3600).contains(&life.parse::<u32>().unwrap()), "{life}");
    let made = body(answer);
    assert_eq!((&made["name"], &made["scopes"]), (&json!("test"), &json!(["read", "admin"])));
    let shown = ask(&api, "GET", "/v1/session", &[("cookie", &pair)], None);
    assert_eq!(body(shown), made);
    let list = |query: &str| body(api.get(&format!("/v1/tokens{query}"), &[("cookie", &pair)]));
    assert_eq!(list("")["tokens"].as_array().unwrap().len(), 1);
    let listed = list("?sessions=true");
    let listed = &listed["tokens"].as_array().unwrap()[0];
    assert_eq!((&listed["parent"], &listed["expires_at"]), (&json!(token[4..14]), &made["expires_at"]));
    assert!(!sandbox.ok(&["tokens", "list"]).contains("(token "));
    let shown = sandbox.ok(&["tokens", "list", "--sessions"]);
    assert!(
        shown.contains(listed["id"].as_str().unwrap())
            && shown.contains(&format!("(token {})", &token[4..14]))
    );
    let log = body(api.get("/v1/audit", &[("cookie", &pair)]));
    let last = log["changes"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["action"], &last["object"]), (&json!("session.add"), &listed["id"]));
    assert_eq!(
        (&last["who"], &last["address"]),
        (&json!(format!("token:{}", &token[4..14])), &json!("127.0.0.1"))
    );
    let secret = pair.split_once('=').unwrap().1;
    assert!(!log.to_string().contains(&secret[20..60]) && !api.service.log().contains(&secret[20..60]));
}

#[test]
fn only_a_token_signs_in_and_only_a_session_is_a_cookie() {
    let sandbox = Sandbox::migrated();
    let api = Api::start(&sandbox, &[]);
    let token = token(&sandbox, &["--scope", "read"]);
    let cookie = session(&api, &token);
    let secret = cookie.split_once('=').unwrap().1;
    let bearer = |secret: &str| format!("Bearer {secret}");
    let read = |headers: &[(&str, &str)]| api.get("/v1/status", headers).status().as_u16();
    assert_eq!(read(&[("cookie", &cookie)]), 200);
    assert_eq!(read(&[("authorization", &bearer(secret))]), 401, "a session in a header");
    assert_eq!(read(&[("cookie", &format!("signwave={token}"))]), 401, "a token in a cookie");
    assert_eq!(read(&[("cookie", &format!("__Host-{cookie}"))]), 401, "the cookie of TLS");
    // A token in a header goes first.
    assert_eq!(read(&[("cookie", "signwave=old"), ("authorization", &bearer(&token))]), 200);
    assert_eq!(read(&[("cookie", &cookie), ("authorization", &bearer("swt_nonsense"))]), 401);
    assert_eq!(status_with(&api, &cookie), 200);
    let by_token = ask(&api, "GET", "/v1/session", &[("authorization", &bearer(&token))], None);
    assert_eq!(by_token.status(), 401, "a token is no session");
    for credentials in
        [json!({"token": secret}), json!({"token": "swt_x"}), json!({"code": secret}), json!({"code": ""})]
    {
        let refused = sign_in(&api, &credentials);
        assert!(!refused.headers().contains_key("set-cookie"));
        assert_eq!(
            (refused.status().as_u16(), &body(refused)["title"]),
            (401, &json!("A valid token is needed"))
        );
    }
    for credentials in
        [json!({}), json!({"token": token, "code": "x"}), json!({"token": 1}), json!({"password": "x"})]
    {
        assert_eq!(sign_in(&api, &credentials).status(), 400, "{credentials}");
    }
    // A page of another site cannot sign anybody in.
    let credentials = json!({"token": token});
    for (name, value, expected) in [
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("origin", "https://evil.example", 403),
        ("origin", api.url.as_str(), 200),
        ("x-nothing", "a program", 200),
    ] {
        let answer = ask(&api, "POST", "/v1/session", &[(name, value)], Some(&credentials));
        assert_eq!(answer.status(), expected, "{name}: {value}");
        assert_eq!(answer.headers().contains_key("set-cookie"), expected == 200);
    }
}

#[test]
fn a_session_ends_with_its_token_and_when_its_user_signs_out() {
    let sandbox = Sandbox::migrated();
    let api = Api::start(&sandbox, &[]);
    let first = token(&sandbox, &["--scope", "read"]);
    let (cookie, other) = (session(&api, &first), session(&api, &first));
    let sign_out = |headers: &[(&str, &str)]| {
        ask(&api, "DELETE", "/v1/session", &[&[("cookie", cookie.as_str())], headers].concat(), None)
    };
    assert_eq!((sign_out(&[]).status(), status_with(&api, &cookie)), (403.try_into().unwrap(), 200));
    let gone = sign_out(&[OWN_PAGE]);
    assert_eq!(gone.status(), 204);
    assert_eq!(gone.headers()["set-cookie"], "signwave=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    assert_eq!((status_with(&api, &cookie), status_with(&api, &other)), (401, 200));
    let admin = format!("Bearer {}", token(&sandbox, &["--scope", "admin,read"]));
    let by_admin = |method: &str, path: &str, sent: Option<&Value>| {
        ask(&api, method, path, &[("authorization", &admin)], sent).status().as_u16()
    };
    // At once where the token is revoked or rotated, and soon where another process does it.
    assert_eq!(by_admin("DELETE", &format!("/v1/tokens/{}", &first[4..14]), None), 204);
    assert_eq!(status_with(&api, &other), 401);
    let second = token(&sandbox, &["--scope", "read"]);
    let rotate = format!("/v1/tokens/{}/rotate", &second[4..14]);
    let cookie = session(&api, &second);
    assert_eq!(by_admin("POST", &rotate, Some(&json!({}))), 200);
    assert_eq!(status_with(&api, &cookie), 200, "the overlap is longer than the session");
    assert_eq!(by_admin("POST", &rotate, Some(&json!({"overlap": "0s"}))), 200);
    assert_eq!(status_with(&api, &cookie), 401);
    let third = token(&sandbox, &["--scope", "read"]);
    let cookie = session(&api, &third);
    sandbox.ok(&["tokens", "revoke", &third[4..14]]);
    until("the session ends", std::time::Duration::from_secs(30), || status_with(&api, &cookie) == 401);
    let short = token(&sandbox, &["--scope", "read", "--expires", "10s"]);
    let cookie = session(&api, &short);
    until("the session is over", std::time::Duration::from_secs(30), || status_with(&api, &cookie) == 401);
}

#[test]
fn an_address_whose_attempts_fail_must_wait() {
    let sandbox = Sandbox::migrated();
    let api = Api::start(&sandbox, &[]);
    let token = token(&sandbox, &["--scope", "read"]);
    let attempt = |credentials: &Value| sign_in(&api, credentials).status().as_u16();
    assert_eq!(attempt(&json!({"token": token})), 200);
    let wrong = [json!({"token": "swt_wrong"}), json!({"code": "wrong"})];
    assert!(wrong.iter().cycle().take(10).all(|wrong| attempt(wrong) == 401));
    let refused = sign_in(&api, &json!({"token": token}));
    assert_eq!(refused.status(), 429, "even with the right token");
    let wait: u32 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=61).contains(&wait), "{wait}");
    // Who is in stays in.
    assert_eq!(api.get("/v1/status", &[("authorization", &format!("Bearer {token}"))]).status(), 200);
}

#[test]
fn over_tls_the_cookie_is_bound_to_the_host_and_to_tls() {
    let sandbox = Sandbox::migrated();
    server_certificate(&sandbox.path(""), "signer");
    let token = token(&sandbox, &["--scope", "read"]);
    let api = Api::start(&sandbox, &TLS);
    let curl = |arguments: &[&str], path: &str| {
        let url = format!("{}{path}", api.url);
        let arguments = [&["-sSi", "--compressed", "--cacert", "tls.pem", url.as_str()], arguments].concat();
        succeeded(&sandbox.program("curl", &arguments).output().unwrap())
    };
    let sent = json!({"token": token}).to_string();
    let answer = curl(&["-H", "Content-Type: application/json", "-d", &sent], "/v1/session");
    let line = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap().trim();
    assert!(line.starts_with("__Host-signwave=swt_") && line.contains("; Path=/;"), "{line}");
    assert!(line.ends_with("; HttpOnly; SameSite=Strict; Secure") && !line.contains("Domain"), "{line}");
    let pair = line.split_once(';').unwrap().0;
    let with = |cookie: &str| curl(&["-H", &format!("Cookie: {cookie}")], "/v1/session");
    assert!(with(pair).starts_with("HTTP/1.1 200"));
    assert!(with(pair.strip_prefix("__Host-").unwrap()).starts_with("HTTP/1.1 401"), "without its prefix");
    for path in ["/", "/docs/index.html"] {
        let has = curl(&[], path).contains("strict-transport-security: max-age=31536000");
        assert_eq!(has, path == "/", "{path}");
    }
}
