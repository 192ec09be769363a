//! The architecture, kept by a test: a layer uses only what lies below it, and a library only the
//! layer that it belongs to.

use std::collections::BTreeSet;

use crate::source::{File, files, top_level};

/// Each part of the crate with the parts it may use.
const MAY_USE: [(&str, &[&str]); 19] = [
    ("domain", &[]),
    ("libpq", &[]),
    ("anchors", &["domain", "libpq"]),
    ("store", &["domain", "libpq", "anchors"]),
    ("signer", &["domain"]),
    ("token_host", &["domain", "signer"]),
    ("config", &["domain", "anchors", "signer"]),
    ("actors", &["domain", "store", "signer", "config"]),
    ("audit", &["domain", "anchors", "store", "signer", "config"]),
    ("access", &["domain", "store", "signer"]),
    ("formats", &["domain", "store"]),
    ("restores", &["domain", "anchors", "store", "signer", "audit", "formats"]),
    ("brokers", &["formats"]),
    ("intake", &["domain", "store", "signer", "actors", "formats", "brokers"]),
    ("publishing", &["domain", "store", "actors", "formats", "brokers"]),
    ("heads", &["domain", "store", "signer", "actors"]),
    ("webhooks", &["domain", "store", "signer", "actors"]),
    (
        "http",
        &[
            "domain",
            "store",
            "signer",
            "config",
            "actors",
            "audit",
            "access",
            "formats",
            "intake",
            "publishing",
            "webhooks",
        ],
    ),
    (
        "cli",
        &[
            "domain",
            "anchors",
            "store",
            "signer",
            "config",
            "actors",
            "audit",
            "restores",
            "access",
            "formats",
            "intake",
            "publishing",
            "webhooks",
            "heads",
            "http",
            "token_host",
        ],
    ),
];

/// Libraries that shape a layer, with the only parts that may name them.
const BELONGS_TO: [(&str, &[&str]); 18] = [
    ("diesel", &["libpq", "anchors", "store"]),
    ("diesel_migrations", &["store"]),
    ("r2d2", &["store"]),
    ("aws_lc_rs", &["signer"]),
    ("rsa", &["signer"]),
    ("sha2", &["domain", "signer"]),
    ("signwave_lanes", &["signer"]),
    ("cryptoki", &["token_host"]),
    ("actix", &["actors", "heads", "http", "intake", "publishing", "webhooks"]),
    ("lapin", &["brokers", "intake", "publishing"]),
    ("async_nats", &["brokers", "intake", "publishing"]),
    ("rdkafka", &["brokers", "intake", "publishing"]),
    ("actix_web", &["http"]),
    ("rustls", &["http", "webhooks"]),
    ("hyper", &["webhooks"]),
    ("utoipa", &["http"]),
    ("anyhow", &["cli"]),
    ("clap", &["cli", "config"]),
];

/// The part of the crate that a file belongs to.
fn part(file: &File) -> &str {
    let below = file.path.strip_prefix("src/").unwrap();
    below.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Whether `code` names `word::` as a path of its own, not as the tail of another.
fn names(code: &str, word: &str) -> bool {
    let free = |before: Option<char>| !before.is_some_and(|c| c.is_alphanumeric() || "_:".contains(c));
    code.match_indices(&format!("{word}::")).any(|(at, _)| free(code[..at].chars().next_back()))
}

/// Whether `code` uses the part: `crate::part`, also inside `use crate::{..}`.
fn uses(code: &str, part: &str) -> bool {
    let groups = code.split("use crate::{").skip(1).filter_map(|rest| rest.split_once("};"));
    names(code, &format!("crate::{part}"))
        || code.contains(&format!("use crate::{part};"))
        || groups.into_iter().any(|(group, _)| {
            top_level(group)
                .iter()
                .any(|item| item.split("::").next().is_some_and(|head| head.trim() == part))
        })
}

#[test]
fn every_part_uses_only_what_lies_below_it() {
    for file in files("src").iter().filter(|file| !["lib", "main"].contains(&part(file))) {
        let part = part(file);
        let (_, below) =
            MAY_USE.iter().find(|(name, _)| *name == part).unwrap_or_else(|| panic!("no layer: {part}"));
        for (other, _) in MAY_USE.iter().filter(|(other, _)| *other != part && !below.contains(other)) {
            assert!(!uses(&file.code, other), "{}: {part} must not use {other}", file.path);
        }
    }
}

#[test]
fn every_library_is_used_only_where_it_belongs() {
    let files = files("src");
    for (library, homes) in BELONGS_TO {
        let users: Vec<_> = files.iter().filter(|file| names(&file.code, library)).collect();
        assert!(!users.is_empty(), "{library} is in Cargo.toml but nothing uses it");
        for file in users {
            assert!(homes.contains(&part(file)), "{}: {} must not use {library}", file.path, part(file));
        }
    }
}

/// The three engines, and the signer whose key is in a token: what else in the program fills in a signature stores what no
/// key has made.
const SIGNERS: [&str; 4] = [
    "src/signer/aws_lc.rs",
    "src/signer/lanes/mod.rs",
    "src/signer/rustcrypto.rs",
    "src/signer/token/signer.rs",
];

#[test]
fn only_the_engines_make_signatures() {
    let files = files("src");
    let with = |what: &str| -> BTreeSet<&str> {
        let shipped =
            |file: &File| file.code.split("#[cfg(test)]").next().is_some_and(|code| code.contains(what));
        files.iter().filter(|file| shipped(file)).map(|file| file.path.as_str()).collect()
    };
    assert_eq!(&with(" Signer for ") | &with("::Signer for "), BTreeSet::from(SIGNERS));
    // A heal puts back signatures that were made, each verified before.
    let fill_in = ["src/domain/lease.rs", "src/restores/heal/steps.rs", "src/signer/each.rs"];
    assert_eq!(with("push_zeroed("), BTreeSet::from(fill_in));
    assert_eq!(with("sign_each("), &BTreeSet::from(SIGNERS) | &BTreeSet::from(["src/signer/each.rs"]));
}

#[test]
fn this_test_sees_what_it_forbids() {
    for code in [
        "use crate::store::Store;",
        "use crate::{\n    domain::X,\n    store::{A, B},\n};",
        "crate::store::f()",
    ] {
        assert!(uses(code, "store"), "{code}");
    }
    assert!(!uses("use crate::{domain::{store::X}};", "store"));
    assert!(names("use rsa::X", "rsa") && names("(rsa::f)", "rsa"));
    assert!(!names("aws_lc_rs::rsa::X", "rsa") && !names("my_rsa::X", "rsa"));
}
