//! Where a service listens, and with what encryption.

use std::{os::unix::fs::MetadataExt, time::Duration};

use rustix::process::Signal;
use support::{
    api::Api,
    openssl::{TLS, server_certificate},
    process::Running,
    sandbox::{Sandbox, succeeded},
    waiting::until,
};

#[test]
fn an_address_that_was_named_must_be_free() {
    let sandbox = Sandbox::migrated();
    let api = Api::start(&sandbox, &[]);
    let address = api.url.strip_prefix("http://").unwrap();
    let error = sandbox.fails(1, &["serve", "--listen", address]);
    assert!(error.contains(&format!("another program listens at {address} already")), "{error}");
    for outside in ["0.0.0.0:0", "[::]:0"] {
        assert!(sandbox.fails(1, &["serve", "--listen", outside]).contains("--plain-http"));
    }
}

#[test]
fn the_default_address_may_be_taken_and_none_can_be_chosen() {
    let sandbox = Sandbox::migrated();
    let first = Running::start(sandbox.command(&["serve"]), sandbox.path("first.log"));
    let is_up = |running: &Running| running.log().contains("this process is node");
    until("the first serves", Duration::from_secs(60), || is_up(&first));
    let second = Running::start(sandbox.command(&["serve"]), sandbox.path("second.log"));
    let third = Running::start(sandbox.command(&["serve", "--listen", "none"]), sandbox.path("third.log"));
    until("the others serve", Duration::from_secs(60), || is_up(&second) && is_up(&third));
    // Another test, or another user of this machine, may have the default address; the second cannot have it.
    assert!(second.log().contains("this process has no HTTP API"), "{}", second.log());
    assert!(!third.log().contains("API"), "{}", third.log());
}

#[test]
fn a_unix_socket_answers_its_group_and_is_removed_at_the_end() {
    let sandbox = Sandbox::migrated();
    let socket = sandbox.path("api.sock");
    let place = format!("unix:{}", socket.display());
    let mut service =
        Running::start(sandbox.command(&["serve", "--listen", &place]), sandbox.path("serve.log"));
    until("it answers", Duration::from_secs(60), || service.log().contains("the API answers at"));
    assert_eq!(std::fs::metadata(&socket).unwrap().mode() & 0o777, 0o660);
    let mut curl = sandbox
        .program("curl", &["-sSf", "--unix-socket", socket.to_str().unwrap(), "http://any/health/live"]);
    assert_eq!(succeeded(&curl.output().unwrap()), r#"{"live":true}"#);
    service.signal(Signal::TERM);
    assert_eq!(service.wait(Duration::from_secs(30)), Some(0));
    assert!(!socket.exists());
}

#[test]
fn a_certificate_that_is_replaced_is_used_for_new_connections() {
    let sandbox = Sandbox::migrated();
    let make = |name: &str| server_certificate(&sandbox.path(""), name);
    make("first");
    let api = Api::start(&sandbox, &[&["--admin-listen", "unix:admin.sock"], &TLS[..]].concat());
    let (url, address) = (format!("{}/health/live", api.url), api.url.strip_prefix("https://").unwrap());
    let curl = |ca: &str| sandbox.program("curl", &["-sSf", "--cacert", ca, &url]).output().unwrap();
    assert_eq!(succeeded(&curl("tls.pem")), r#"{"live":true}"#);
    std::fs::copy(sandbox.path("tls.pem"), sandbox.path("old.pem")).unwrap();
    make("second");
    let subject = || {
        let ask = format!(
            "openssl s_client -connect {address} </dev/null 2>/dev/null | openssl x509 -noout -subject"
        );
        String::from_utf8(sandbox.program("sh", &["-c", &ask]).output().unwrap().stdout).unwrap()
    };
    until("the new certificate is used", Duration::from_secs(60), || subject().contains("second"));
    assert!(!curl("old.pem").status.success());
    assert_eq!(succeeded(&curl("tls.pem")), r#"{"live":true}"#);
    // The metric is that of the new certificate.
    let ask = "date -d \"$(openssl x509 -in tls.pem -noout -enddate | cut -d= -f2)\" +%s";
    let end: f64 = succeeded(&sandbox.program("sh", &["-c", ask]).output().unwrap()).trim().parse().unwrap();
    let metrics = ["-sSf", "--unix-socket", "admin.sock", "http://any/metrics"];
    let metrics = succeeded(&sandbox.program("curl", &metrics).output().unwrap());
    let expiry = metrics.lines().find_map(|line| line.strip_prefix("signwave_tls_expiry_timestamp_seconds "));
    assert_eq!(expiry.unwrap().parse(), Ok(end));
    // HTTP/1.1 only, and no old TLS.
    let plain = sandbox.program("curl", &["-sS", &url.replace("https", "http")]).output().unwrap();
    assert!(!plain.status.success());
}

#[test]
fn health_and_metrics_have_an_address_of_their_own() {
    let sandbox = Sandbox::migrated();
    let api = Api::start(&sandbox, &["--admin-listen", "127.0.0.1:0"]);
    let admin = api.admin();
    let metrics = admin("/metrics");
    assert!(
        metrics.contains("signwave_signing_threads ") && metrics.contains("signwave_database_up 1"),
        "{metrics}"
    );
    assert_eq!(admin("/health/live"), r#"{"live":true}"#);
    assert!(admin("/v1/status").contains("not-found"), "the API is elsewhere");
    assert_eq!(api.get("/metrics", &[]).status(), 401, "the API asks for a token");
}
