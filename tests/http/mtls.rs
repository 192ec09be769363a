//! Clients that show a certificate instead of a token: a client is the key of its certificate.

use std::{path::Path, time::Duration};

use support::{
    api::Api,
    openssl::{TLS, openssl, server_certificate},
    sandbox::Sandbox,
    waiting::until,
};

/// A service with TLS that knows an authority for its clients.
struct Site {
    sandbox: Sandbox,
    api: Api,
}

impl Site {
    fn start() -> Self {
        let sandbox = Sandbox::migrated();
        let folder = sandbox.path("");
        server_certificate(&folder, "server");
        for authority in ["ca", "other-ca"] {
            let files = format!("-keyout {authority}.key -out {authority}.pem");
            openssl(&folder, &format!("req -x509 {NEW_KEY} -days 2 -subj /CN={authority} {files}"));
        }
        for (client, authority) in [("gateway", "ca"), ("neighbour", "ca"), ("stranger", "other-ca")] {
            let files = format!("-keyout {client}.key -out {client}.csr");
            openssl(&folder, &format!("req -new {NEW_KEY} -subj /CN=client {USE} {files}"));
            certify(&folder, client, authority, client);
        }
        let api = Api::start(&sandbox, &[&TLS[..], &["--tls-client-ca", "ca.pem"]].concat());
        Self { sandbox, api }
    }

    /// What curl gets: the status, or `None` if the connection fails.
    fn status(&self, path: &str, more: &[&str]) -> Option<u16> {
        let url = format!("{}{path}", self.api.url);
        let usual = ["-sS", "-o", "answer", "-w", "%{http_code}", "--cacert", "tls.pem", &url];
        let output = self.sandbox.program("curl", &[&usual[..], more].concat()).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().parse().unwrap())
    }

    fn with(&self, certificate: &str, key: &str, path: &str) -> Option<u16> {
        self.status(path, &["--cert", certificate, "--key", key])
    }
}

const NEW_KEY: &str = "-newkey rsa:2048 -nodes";
const USE: &str = "-addext extendedKeyUsage=clientAuth"; // a certificate without extensions is of version 1

/// Makes the certificate `name` for the key of `client`.
fn certify(folder: &Path, client: &str, authority: &str, name: &str) {
    let by = format!("-CA {authority}.pem -CAkey {authority}.key -CAcreateserial -copy_extensions copy");
    openssl(folder, &format!("x509 -req -in {client}.csr {by} -days 2 -out {name}.pem"));
}

#[test]
fn a_client_is_the_key_of_its_certificate_for_as_long_as_a_token_names_it() {
    let site = Site::start();
    let gateway = |path: &str| site.with("gateway.pem", "gateway.key", path);
    assert_eq!(gateway("/v1/status"), Some(401), "no token names it");
    let create =
        ["tokens", "create", "--name", "gateway", "--scope", "read", "--client-certificate", "gateway.pem"];
    let id = site.sandbox.ok(&create);
    until("the new token is known", Duration::from_secs(10), || gateway("/v1/status") == Some(200));
    assert_eq!(gateway("/v1/tokens"), Some(403), "it may only read");
    assert_eq!(site.status("/v1/status", &[]), Some(401), "without a certificate");
    assert_eq!(site.status("/health/live", &[]), Some(200), "what needs no token needs no certificate");
    let neighbour = site.with("neighbour.pem", "neighbour.key", "/v1/status");
    assert_eq!(
        neighbour,
        Some(401),
        "a certificate of the same authority, with the same name, for another key"
    );
    let stranger = site.with("stranger.pem", "stranger.key", "/v1/status");
    assert!(matches!(stranger, None | Some(401)), "a certificate of another authority: {stranger:?}");
    certify(&site.sandbox.path(""), "gateway", "other-ca", "forged");
    assert_eq!(
        site.with("forged.pem", "gateway.key", "/v1/status"),
        None,
        "the right key, by another authority"
    );
    certify(&site.sandbox.path(""), "gateway", "ca", "renewed");
    assert_eq!(site.with("renewed.pem", "gateway.key", "/v1/status"), Some(200), "a renewed certificate");
    site.sandbox.ok(&["tokens", "revoke", id.trim()]);
    until("it is revoked", Duration::from_secs(10), || gateway("/v1/status") == Some(401));
    assert!(!site.api.service.log().contains("panicked"), "{}", site.api.service.log());
}
