//! GUARANTEES.md names tests that are there, and a test for each promise.

use std::fs;

fn page() -> String {
    fs::read_to_string(support::root().join("GUARANTEES.md")).unwrap()
}

#[test]
fn every_test_that_guarantees_names_is_there() {
    let (root, page) = (support::root(), page());
    let links: Vec<_> = page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    let file = |link: &&str| root.join(link.split('#').next().unwrap());
    let missing: Vec<_> = links.iter().filter(|link| !file(link).exists()).collect();
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

/// The rows of the second table, and the column that says what each shows.
#[test]
fn every_promise_is_shown_by_several_tests() {
    let page = page();
    let table = page.split("| what is done | to what | shows | test |\n").nth(1).expect("the second table");
    let shows: Vec<_> = table.lines().skip(1).map_while(|row| row.split(" | ").nth(2)).collect();
    assert!(shows.len() > 30, "{shows:?}");
    for promise in ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "V"] {
        let named = |cell: &&&str| {
            cell.contains(promise)
                || promise != "V" && cell.contains("P1–P9")
                || !["P8", "P9", "V"].contains(&promise) && cell.contains("P1–P7")
        };
        let rows = shows.iter().filter(named).count();
        println!("{promise}: {rows} rows");
        assert!(rows >= 5, "{promise}: {rows} rows");
    }
    let others: Vec<_> = shows.iter().filter(|cell| !cell.starts_with(['P', 'V', '—'])).collect();
    assert!(others.is_empty(), "{others:?}");
}
