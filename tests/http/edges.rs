//! What holds for every request, whatever it asks for.

use std::time::Duration;

use support::{
    api::{Api, json, text},
    sandbox::Sandbox,
    waiting::until,
};

const SOON: Duration = Duration::from_secs(60);

#[test]
fn every_answer_has_an_id_and_every_error_is_a_problem_with_a_page() {
    let sandbox = Sandbox::new();
    let api = Api::start(&sandbox, &[]);
    let live = api.get("/health/live", &[("x-request-id", "from-the-client")]);
    assert_eq!(
        (live.status().as_u16(), &live.headers()["x-request-id"]),
        (200, &"from-the-client".parse().unwrap())
    );
    assert_eq!(live.headers()["cache-control"], "no-store");

    let missing = api.get("/v1/canary%3Cscript%3E", &[]);
    assert_eq!(missing.headers()["content-type"], "application/problem+json");
    let id = missing.headers()["x-request-id"].clone();
    let problem = json(missing);
    assert_eq!((problem["status"].as_u64(), problem["request_id"].as_str()), (Some(404), id.to_str().ok()));
    assert!(!problem.to_string().contains("canary"), "{problem}");
    let page = api.get(problem["type"].as_str().unwrap(), &[]);
    assert_eq!((page.status().as_u16(), text(page).starts_with("404: Not found.")), (200, true));

    let pages = text(api.get("/problems", &[]));
    for line in pages.lines() {
        let (status, slug) = line.split_once(' ').unwrap();
        assert!(text(api.get(&format!("/problems/{slug}"), &[])).starts_with(status), "{line}");
    }
}

#[test]
fn nobody_is_answered_without_a_token_but_for_what_is_public() {
    let sandbox = Sandbox::new();
    let api = Api::start(&sandbox, &[]);
    for path in ["/v1/status", "/metrics"] {
        let refused = api.get(path, &[("authorization", "Bearer swt_canary")]);
        assert_eq!(
            (refused.status().as_u16(), refused.headers()["www-authenticate"].is_empty()),
            (401, false)
        );
        assert!(!text(refused).contains("canary"));
    }
    for path in
        ["/health/live", "/openapi.json", "/docs/index.html", "/docs/swagger-initializer.js", "/problems"]
    {
        assert_eq!(api.get(path, &[]).status(), 200, "{path}");
    }
    assert!(!api.service.log().contains("canary"));
}

#[test]
fn other_hosts_and_pages_of_other_origins_are_refused() {
    let sandbox = Sandbox::new();
    let allowed = ["--allowed-hosts", "signer.example", "--cors-origins", "https://app.example"];
    let api = Api::start(&sandbox, &allowed);
    let status = |headers: &[(&str, &str)]| api.get("/health/live", headers).status().as_u16();
    assert_eq!(status(&[("host", "evil.example")]), 421);
    assert_eq!(status(&[("host", "signer.example:80")]), 200);
    assert_eq!(status(&[("origin", "https://evil.example")]), 403);
    assert_eq!(status(&[("origin", &api.url)]), 200, "the page of the API itself");
    let answer = api.get("/health/live", &[("origin", "https://app.example")]);
    assert_eq!(answer.headers()["access-control-allow-origin"], "https://app.example");
}

#[test]
fn a_process_is_ready_once_it_has_a_key_and_says_what_is_missing() {
    let sandbox = Sandbox::migrated();
    let api = Api::start(&sandbox, &[]);
    let failing = |health: serde_json::Value| -> Vec<String> {
        let checks = health["checks"].as_array().unwrap().clone();
        let failed = checks.iter().filter(|check| check["ok"] == false);
        failed.map(|check| check["name"].as_str().unwrap().to_owned()).collect()
    };
    until("the node is registered", SOON, || failing(json(api.get("/health/ready", &[]))) == ["keys"]);
    assert_eq!(api.get("/health/ready", &[]).status(), 503);
    sandbox.ok(&["keys", "generate"]);
    until("ready", SOON, || api.get("/health/ready", &[]).status() == 200);
}
