//! How tests are written: every item of the support crate is used, and no test sleeps to wait.

use std::collections::HashMap;

use crate::source::{defined, files};

/// A compiler takes all that is public for used.
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

/// What a test waits for it polls (`support::waiting::until`); what must last a while says so (`lasting`), and a random
/// moment comes by the seed (`Random::moment`).
#[test]
fn no_test_sleeps_to_wait() {
    // Where those helpers are; one for the time of a runtime; time that is simulated.
    let homes = ["tests/support/", "tests/actors/rig.rs", "tests/simulation/"];
    let files = files("tests");
    let others = files.iter().filter(|file| !homes.iter().any(|home| file.path.starts_with(home)));
    let sleeps: Vec<_> = others.filter(|file| file.code.contains("sleep(")).map(|file| &file.path).collect();
    assert!(sleeps.is_empty(), "{sleeps:?}");
}
