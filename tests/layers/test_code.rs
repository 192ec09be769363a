//! The support crate has what tests use, and nothing else: a compiler takes all that is public for used.

use std::collections::HashMap;

use crate::source::{defined, files};

#[test]
fn everything_that_the_support_crate_offers_is_used() {
    let files = files("tests");
    let mut words = HashMap::<&str, usize>::new();
    for word in files.iter().flat_map(|file| file.code.split(|c: char| !c.is_alphanumeric() && c != '_')) {
        *words.entry(word).or_default() += 1;
    }
    let kinds = ["fn", "struct", "enum", "const", "type", "trait"];
    let support = files.iter().filter(|file| file.path.starts_with("tests/support/"));
    let offered: Vec<_> = support
        .flat_map(|file| file.code.lines().map(move |line| (file, line.trim_start())))
        .filter(|(_, line)| line.starts_with("pub "))
        .filter_map(|(file, line)| Some((&file.path, defined(line, &kinds)?)))
        .collect();
    assert!(offered.len() > 100, "too few to be all");
    let unused: Vec<_> = offered.iter().filter(|(_, name)| words[name] < 2).collect();
    assert!(unused.is_empty(), "{unused:?}");
    println!("{} names, all used", offered.len());
}
