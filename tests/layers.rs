//! The architecture, kept by a test: a layer uses only what lies below it, and a library only the
//! layer that it belongs to.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Each part of the crate with the parts it may use.
const MAY_USE: [(&str, &[&str]); 7] = [
    ("domain", &[]),
    ("store", &["domain"]),
    ("signer", &["domain"]),
    ("config", &["domain", "signer"]),
    ("actors", &["domain", "store", "signer", "config"]),
    ("audit", &["domain", "store", "signer", "config"]),
    ("cli", &["domain", "store", "signer", "config", "actors", "audit"]),
];

/// Libraries that shape a layer, with the only parts that may name them.
const BELONGS_TO: [(&str, &[&str]); 9] = [
    ("diesel", &["store"]),
    ("diesel_migrations", &["store"]),
    ("r2d2", &["store"]),
    ("aws_lc_rs", &["signer"]),
    ("rsa", &["signer"]),
    ("sha2", &["signer"]),
    ("actix", &["actors"]),
    ("anyhow", &["cli"]),
    ("clap", &["cli", "config"]),
];

const LINES_AT_MOST: usize = 400;

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let rust = entries.filter(|path| path.is_dir() || path.extension().is_some_and(|end| end == "rs"));
    rust.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// Every source file with the part of the crate that it belongs to.
fn files() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let part = |path: &Path| {
        let first = path.strip_prefix(&root).unwrap().components().next().unwrap();
        first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
    };
    sources(&root)
        .into_iter()
        .map(|path| (part(&path), path.clone(), fs::read_to_string(path).unwrap()))
        .collect()
}

/// The code without its comments, so that prose may name what it likes.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
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

/// Splits `a::{b, c}, d` at the commas outside braces.
fn top_level(group: &str) -> Vec<String> {
    let (mut items, mut depth) = (vec![String::new()], 0);
    for c in group.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        match c {
            ',' if depth == 0 => items.push(String::new()),
            c => items.last_mut().unwrap().push(c),
        }
    }
    items
}

#[test]
fn every_part_uses_only_what_lies_below_it() {
    for (part, path, text) in files() {
        if ["lib", "main"].contains(&part.as_str()) {
            continue;
        }
        let (_, below) =
            MAY_USE.iter().find(|(name, _)| *name == part).unwrap_or_else(|| panic!("no layer: {part}"));
        for (other, _) in MAY_USE.iter().filter(|(other, _)| *other != part && !below.contains(other)) {
            assert!(!uses(&code(&text), other), "{}: {part} must not use {other}", path.display());
        }
    }
}

#[test]
fn every_library_is_used_only_where_it_belongs() {
    for (library, homes) in BELONGS_TO {
        let mut used = false;
        for (part, path, text) in files() {
            if names(&code(&text), library) {
                used = true;
                assert!(homes.contains(&part.as_str()), "{}: {part} must not use {library}", path.display());
            }
        }
        assert!(used, "{library} is in Cargo.toml but nothing uses it");
    }
}

#[test]
fn every_file_says_its_purpose_first_and_stays_short() {
    for (_, path, text) in files() {
        let generated = text.starts_with("// @generated");
        assert!(
            generated || text.starts_with("//! "),
            "{}: the first line says what the file is for",
            path.display()
        );
        let lines = text.lines().count();
        assert!(lines <= LINES_AT_MOST, "{}: {lines} lines", path.display());
    }
}

/// The two engines: what else in the program fills in a signature stores what no key has made.
const SIGNERS: [&str; 2] = ["signer/aws_lc.rs", "signer/rustcrypto.rs"];

#[test]
fn only_the_engines_make_signatures() {
    let shipped = |text: &str| code(text.split("#[cfg(test)]").next().unwrap_or_default());
    let with = |what: &str| {
        let found = files().into_iter().filter(|(_, _, text)| shipped(text).contains(what));
        let mut paths: Vec<_> = found.map(|(_, path, _)| path.to_str().unwrap().to_owned()).collect();
        paths.sort();
        paths
    };
    let are = |found: &[String], expected: &[&str]| {
        found.len() == expected.len() && found.iter().zip(expected).all(|(found, end)| found.ends_with(end))
    };
    let signers = [with(" Signer for "), with("::Signer for ")].concat();
    assert!(are(&signers, &SIGNERS), "{signers:?}");
    let filled = with("push_zeroed(");
    assert!(are(&filled, &["domain/lease.rs", "signer/each.rs"]), "{filled:?}");
    let called = with("sign_each(");
    assert!(are(&called, &[SIGNERS[0], "signer/each.rs", SIGNERS[1]]), "{called:?}");
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
