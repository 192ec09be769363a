//! GUARANTEES.md names tests that are there, and a test for each promise.

use std::fs;

fn page() -> String {
    fs::read_to_string(support::root().join("GUARANTEES.md")).unwrap()
}

#[test]
fn every_test_that_guarantees_names_is_there() {
    let (root, page) = (support::root(), page());
    let links: Vec<_> = page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    let missing: Vec<_> = links.iter().filter(|path| !root.join(path).exists()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    // [`name`](path)
    let named = page.split("[`").skip(1).filter_map(|rest| rest.split_once("`](")).map(|(name, rest)| {
        let code = fs::read_to_string(root.join(rest.split(')').next().unwrap())).unwrap();
        assert!(code.contains(&format!("fn {name}(")) || code.contains(&format!("{name}:")), "{name}");
    });
    let named = named.count();
    assert!(named >= 20, "the form of its links has changed");
    println!("{} links, {named} of them to tests by name", links.len());
}
