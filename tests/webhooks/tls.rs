//! A receiver with TLS.

use support::{certificates::authority, openssl::openssl, process::Running, root, waiting::until};

use crate::{SOON, place::Place};

#[test]
fn a_certificate_must_be_trusted_and_be_that_of_the_name() {
    let place = Place::sqlite();
    let path = |name: &str| place.sandbox.path(name).into_os_string().into_string().unwrap();
    let folder = place.sandbox.path(".");
    authority(&folder, "ca", "rsa:2048", None);
    openssl(&folder, "req -new -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key.pem -out request.pem");
    place.sandbox.write("names", "subjectAltName=DNS:localhost");
    let issue = "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -days 2 -extfile names -out server.pem";
    openssl(&folder, issue);
    let mut server = place.sandbox.program("python3", &[]);
    server.arg(root().join("tests/webhooks/programs/tls.py")).args([path("server.pem"), path("key.pem")]);
    let server = Running::start(server, place.sandbox.path("tls.log"));
    until("the server says its port", SOON, || server.log().contains('\n'));
    let port = server.log().trim().to_owned();
    for (name, url) in [("good", "localhost"), ("bad", "127.0.0.1")] {
        place.add(name, &format!("https://{url}:{port}/"));
    }
    let untrusting = Running::start(place.service(), place.log());
    place.sign(1);
    let row = place.until("good", "it is not trusted", |row| row["failures"] == 1);
    assert!(row["reason"].as_str().unwrap().starts_with("TLS failed: "), "{row}");
    place.until("bad", "it is not trusted, either", |row| row["failures"] == 1);
    drop(untrusting);
    place.sandbox.sql("UPDATE webhook SET retry_at = created_at");
    let mut trusting = place.service();
    trusting.env("SSL_CERT_FILE", path("ca.pem"));
    let _trusting = Running::start(trusting, place.log());
    until("a message came", SOON, || server.log().contains(&format!("_1 localhost:{port}\n")));
    place.until("good", "it is told", |row| row["lag"] == 0);
    let row = place.until("bad", "its name is another", |row| row["failures"] == 2);
    assert!(row["reason"].as_str().unwrap().starts_with("TLS failed: "), "{row}");
}
