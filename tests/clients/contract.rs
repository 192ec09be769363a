//! Requests of every kind that the document allows, and of many kinds that it forbids, by schemathesis: no answer is a
//! failure of the service or outside of the document.

use std::process::Output;

use serde_json::Value;
use support::{
    api::json,
    process::tool,
    random::{count, seed},
    root,
};

use crate::service::{Service, program, with_packages};

/// The scopes of the tokens with which everything is asked. The first one sees most.
const SCOPES: [&str; 5] = ["submit,read,operate,admin", "submit", "read", "admin", "operate"];

/// A token, and what has been generated with it.
struct Token {
    scope: &'static str,
    text: String,
}

impl Token {
    fn id(&self) -> &str {
        self.text.split('_').nth(1).unwrap()
    }
}

#[test]
fn whatever_is_sent_the_service_answers_as_its_document_says() {
    let (wanted, mut seed) = (count("TEST_CASES", 1000), first_seed());
    let service = Service::start(&[]);
    let document = strict(json(service.api.get("/openapi.json", &[])));
    service.sandbox.write("strict.json", document.to_string());
    let tokens = SCOPES.map(|scope| Token { scope, text: service.token(scope) });
    let (mut cases, mut rounds) = (0, 0);
    while cases < wanted {
        for token in &tokens {
            cases += round(&service, &tokens, token, rounds == 0, seed);
        }
        (rounds, seed) = (rounds + 1, seed.wrapping_add(1));
    }
    println!("measured: {cases} cases");
    for token in &tokens {
        let bearer = format!("Bearer {}", token.text);
        let status = service.api.get("/v1/status", &[("authorization", &bearer)]).status().as_u16();
        assert_eq!(status == 200, token.scope.contains("read"), "{status}: the token lived to the end");
        assert_ne!(status, 401, "the token lived to the end");
    }
    let log = service.api.service.log();
    assert!(!log.contains("panicked") && !log.contains("ERROR api"), "{log}");
}

/// `TEST_SEED`, or always the same: what is asked with every change judges the change. Others are for torture.
fn first_seed() -> u64 {
    if std::env::var_os("TEST_SEED").is_some() { seed() } else { 1 }
}

/// The document without the answer that covers everything, so that each status must be listed; and without the stream
/// that never ends.
fn strict(mut document: Value) -> Value {
    let paths = document["paths"].as_object_mut().unwrap();
    paths.remove("/v1/events").unwrap();
    for operation in paths.values_mut().flat_map(|item| item.as_object_mut().unwrap().values_mut()) {
        operation["responses"].as_object_mut().unwrap().remove("default").unwrap();
    }
    document
}

/// Asks everything with a token. Returns the number of cases.
fn round(service: &Service, all: &[Token; 5], token: &Token, is_first: bool, seed: u64) -> usize {
    let sees_most = token.scope == SCOPES[0];
    let (phases, examples) = match (is_first, sees_most) {
        (true, true) => ("coverage,fuzzing,stateful", "2"),
        (true, false) => ("fuzzing", "2"),
        (false, true) => ("fuzzing,stateful", "60"),
        (false, false) => ("fuzzing", "15"),
    };
    let config = root().join("tests/clients/schemathesis.toml");
    let header = format!("Authorization: Bearer {}", token.text);
    let seed = (seed % 1_000_000).to_string();
    let mut command = service.sandbox.program("timeout", &["1800", "python3"]);
    command.arg(tool("python/bin/schemathesis")).arg("--config-file").arg(config);
    command.args(["run", "strict.json", "--url", &service.api.url, "--header", &header]);
    command.args(["--phases", phases, "--max-examples", examples, "--seed", &seed, "--no-color"]);
    command.args(["--request-timeout", "60", "--continue-on-failure", "--suppress-health-check", "all"]);
    with_packages(&mut command);
    let packages = format!("{}:{}", tool("python"), program(""));
    let kept: Vec<_> = all.iter().map(Token::id).collect();
    command.env("PYTHONPATH", packages).env("SCHEMATHESIS_HOOKS", "contract_hooks");
    command.env("KEPT_TOKENS", kept.join(" "));
    let Output { status, stdout, stderr } = command.output().unwrap();
    let said = String::from_utf8_lossy(&stdout);
    assert!(status.success(), "{}: {said}\n{}", token.scope, String::from_utf8_lossy(&stderr));
    let cases = said.split_once("Test cases:").and_then(|(_, rest)| rest.trim().split_once(" generated"));
    cases.unwrap_or_else(|| panic!("{said}")).0.replace(',', "").parse().unwrap()
}
