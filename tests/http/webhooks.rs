//! Webhooks over HTTP: added, listed, tried, rotated, enabled and removed, each change with its row of the log.

use serde_json::json;
use support::api::{Request, SendBody};

use crate::site::{Site, signed};

#[test]
fn webhooks_are_managed_over_http_but_lead_outside_only() {
    let site = Site::over(signed("1"), "admin,read", &[]);
    for (url, detail) in [
        ("https://127.0.0.1/", "internal"),
        ("https://localhost/", "internal"),
        ("http://1.1.1.1/", "https"),
        ("https://user@1.1.1.1/", "user"),
        ("nonsense", "address"),
    ] {
        let (status, problem) = site.send("POST", "/v1/webhooks", &json!({"name": "a", "url": url}));
        assert_eq!((status, &problem["type"]), (400, &"/problems/invalid-request".into()), "{url}");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
    }
    let allowing = json!({"name": "a", "url": "https://127.0.0.1/", "allow_internal": true});
    assert_eq!(site.send("POST", "/v1/webhooks", &allowing).0, 400, "only the command line allows that");
    assert_eq!(site.send("POST", "/v1/webhooks", &json!({"name": "A", "url": "https://1.1.1.1/"})).0, 400);

    // Nothing is signed, so that nothing is sent.
    let (status, made) = site.send("POST", "/v1/webhooks", &json!({"name": "a", "url": "https://1.1.1.1/x"}));
    assert_eq!((status, &made["url"], &made["state"]), (201, &"https://1.1.1.1/x".into(), &"enabled".into()));
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"));
    let again = site.send("POST", "/v1/webhooks", &json!({"name": "a", "url": "https://1.1.1.1/x"}));
    assert_eq!((again.0, &again.1["type"]), (409, &"/problems/webhook-refused".into()));
    let shown = site.get("/v1/webhooks/a");
    assert_eq!(site.get("/v1/webhooks")["webhooks"], json!([shown]));
    assert_eq!((&shown["lag"], shown.get("secret")), (&0.into(), None));
    assert_eq!(site.get("/v1/status")["webhooks"][0]["name"], "a");

    let (status, rotated) = site.send("POST", "/v1/webhooks/a/rotate", &json!({}));
    assert_eq!(status, 200);
    assert!(rotated["secret"] != made["secret"] && rotated["previous_until"].is_string());
    site.sandbox.sql("UPDATE webhook SET state = 'disabled', state_reason = 'tired'");
    assert_eq!(site.get("/v1/webhooks/a")["reason"], "tired");
    let (status, enabled) = site.send("POST", "/v1/webhooks/a/enable", &json!({}));
    assert_eq!((status, &enabled["state"]), (200, &"enabled".into()));
    let removal = Request::delete(format!("{}/v1/webhooks/a", site.api.url));
    let removal = removal.header("authorization", site.bearer()).body(SendBody::none()).unwrap();
    assert_eq!(site.api.send(removal).status(), 204);
    for (method, path) in [
        ("DELETE", "/v1/webhooks/a"),
        ("POST", "/v1/webhooks/a/enable"),
        ("POST", "/v1/webhooks/a/rotate"),
        ("POST", "/v1/webhooks/a/test"),
    ] {
        assert_eq!(site.send(method, path, &json!({})).0, 404, "{method} {path}");
    }
    let log = site.sandbox.ok(&["audit-log", "--json"]);
    let actions = ["webhook.add", "webhook.rotate", "webhook.enable", "webhook.remove"];
    assert!(actions.iter().all(|action| log.contains(&format!("\"action\":\"{action}\""))), "{log}");
    assert!(!log.contains(&secret[6..]) && !site.api.service.log().contains(&secret[6..]));
}

#[test]
fn a_trial_says_what_the_server_answered() {
    let site = Site::over(signed("1"), "admin,read", &[]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    site.sandbox.ok(&["webhooks", "add", &url, "--name", "a", "--allow-internal"]);
    let server = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let read = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(b"HTTP/1.1 503 Reason\r\nretry-after: 9\r\ncontent-length: 0\r\n\r\n").unwrap();
        read
    });
    let (status, trial) = site.send("POST", "/v1/webhooks/a/test", &json!({}));
    let answer = json!({"accepted": false, "result": "503 Service Unavailable"});
    assert_eq!((status, trial), (200, answer));
    assert!(server.join().unwrap() > 0);
    let (_, trial) = site.send("POST", "/v1/webhooks/a/test", &json!({}));
    assert!(trial["result"].as_str().unwrap().contains("no connection"), "{trial}");
    assert_eq!(site.get("/v1/webhooks/a")["failures"], 0, "a trial changes nothing");
}
