//! The OpenAPI document: committed, valid, and complete.

use std::{collections::BTreeSet, fs};

use serde_json::Value;
use support::{
    api::{Api, json},
    root,
    sandbox::{Sandbox, succeeded},
};

use crate::service::with_packages;

/// `OPENAPI=overwrite cargo test --test clients the_committed_document` writes the file anew.
#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let sandbox = Sandbox::migrated();
    let served = json(Api::start(&sandbox, &[]).get("/openapi.json", &[]));
    let text = serde_json::to_string_pretty(&served).unwrap() + "\n";
    let path = root().join("packaging/openapi.json");
    if std::env::var_os("OPENAPI").is_some_and(|wish| wish == "overwrite") {
        fs::write(&path, &text).unwrap();
    }
    assert!(fs::read_to_string(&path).unwrap() == text, "run it with OPENAPI=overwrite");
}

#[test]
fn the_document_is_valid() {
    let sandbox = Sandbox::new();
    let path = root().join("packaging/openapi.json");
    let mut validator = sandbox.program("python3", &["-m", "openapi_spec_validator", path.to_str().unwrap()]);
    with_packages(&mut validator);
    assert!(succeeded(&validator.output().unwrap()).ends_with(": OK\n"));
}

#[test]
fn every_operation_says_what_it_does_what_it_takes_and_how_it_fails() {
    let text = fs::read_to_string(root().join("packaging/openapi.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            check(&format!("{method} {path}"), operation);
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "two operations are called {name}");
        }
    }
}

fn check(name: &str, operation: &Value) {
    let is_said = |value: &Value, what: &str| {
        let text = value.as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{name}: {what}");
    };
    is_said(&operation["summary"], "a summary is missing");
    assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{name}");
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        is_said(&parameter["description"], &format!("the parameter {} is not described", parameter["name"]));
    }
    let responses = operation["responses"].as_object().unwrap();
    let has = |status: &str| assert!(responses.contains_key(status), "{name}: {status} is missing");
    has("default");
    if operation.get("security").is_some() {
        ["401", "403", "429", "503"].iter().for_each(|status| has(status));
    }
    if operation.get("requestBody").is_some() {
        ["400", "413", "415"].iter().for_each(|status| has(status));
    }
    for (status, response) in responses {
        is_said(&response["description"], &format!("the answer {status} is not described"));
        let is_problem = response["content"].get("application/problem+json").is_some();
        let is_health = name.ends_with("/health/ready");
        assert_eq!(
            is_problem,
            !(status.starts_with(['2', '3']) || is_health && status == "503"),
            "{name} {status}"
        );
    }
}
