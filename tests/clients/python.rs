//! Clients in Python: two libraries, a client that is generated from the document, and a library for JOSE.

use support::{process::tool, sandbox::succeeded};

use crate::service::{Service, with_packages};

#[test]
fn requests_submits_waits_and_verifies() {
    let service = Service::start(&[]);
    succeeded(&service.python("submit,read", "with_requests.py").output().unwrap());
    assert_eq!(service.sandbox.number("SELECT count(*) FROM signature"), 2);
}

#[test]
fn httpx_sends_two_hundred_thousand_lines_before_it_reads() {
    let service = Service::start(&["--roles", "emit"]);
    succeeded(&service.python("submit", "with_httpx.py").output().unwrap());
    assert_eq!(service.sandbox.number("SELECT count(*) FROM record"), 200_000);
}

#[test]
fn a_client_is_generated_from_the_document_and_submits_waits_and_verifies() {
    let service = Service::start(&[]);
    std::fs::copy(support::root().join("packaging/openapi.json"), service.sandbox.path("api.json")).unwrap();
    let generate = ["openapi-python-client", "generate", "--path", "api.json", "--meta", "none"];
    let mut generator = service.client("read", &[&generate[..], &["--output-path", "generated"]].concat());
    with_packages(&mut generator);
    let said = succeeded(&generator.output().unwrap());
    // It has no type for a stream of lines and for a key in PEM; everything else must have one.
    let omitted: Vec<_> = said.lines().filter(|line| line.starts_with("WARNING")).collect();
    assert!(omitted.iter().all(|line| line.contains("/records/bulk") || line.contains(".pem")), "{said}");
    let mut client = service.python("submit,read", "with_generated.py");
    let packages = format!("{}:{}", tool("python"), service.sandbox.path("").display());
    succeeded(&client.env("PYTHONPATH", packages).output().unwrap());
    assert_eq!(service.sandbox.number("SELECT count(*) FROM signature"), 1);
}

#[test]
fn a_jose_library_reads_the_key_set_and_verifies_a_signature() {
    let service = Service::start(&[]);
    succeeded(&service.python("submit,read", "with_jose.py").output().unwrap());
}
