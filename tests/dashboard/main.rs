//! The dashboard, and the page that checks bundles, in a real browser: chromium, driven by playwright's library from node. Each scene is a file in
//! `scenes/`, with a service and a browser that it starts itself. `scripts/install-tools` brings the packages.
//!
//! `TEST_MINUTES=60` watches the memory of an open tab for an hour; `TEST_PICTURES=FOLDER` keeps a picture of every view.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use signwave::{domain::ledger::Bundle, formats::bundle::write};
use support::{
    bundles::{Ledger, mutants},
    process::binary,
    root,
};
use tempfile::TempDir;

#[test]
fn the_page_offers_what_the_token_allows() {
    play("access");
}

#[test]
fn the_page_works_behind_a_prefix_and_without_a_secure_context() {
    play("addresses");
}

#[test]
fn the_page_for_bundles_says_what_the_verifier_in_python_says() {
    play_with("bundles", |folder| {
        let files = root().join("packaging/bundle");
        for name in ["verify.html", "verify_bundle.py"] {
            fs::copy(files.join(name), folder.join(name)).unwrap();
        }
        write_bundles(folder);
    });
}

/// Bundles that are good, and bundles with one thing changed.
fn write_bundles(folder: &Path) {
    let (ledger, other) = (Ledger::new(), Ledger::new());
    let lines =
        |bundles: &[Bundle]| bundles.iter().map(|bundle| write(bundle).unwrap() + "\n").collect::<String>();
    let mut mutants = mutants::changed(&ledger);
    mutants.extend(mutants::respelled(&ledger.bundles[1]));
    mutants.extend(mutants::misspelled(&ledger.bundles[1], 150));
    let mutants: String = mutants.into_iter().map(|(_, mutant)| mutant + "\n").collect();
    let alone = Bundle { payload: None, ..ledger.bundles[1].clone() };
    let hostile = ledger.bundles.iter().find(|bundle| bundle.record.0 == 6).unwrap();
    for (name, text) in [
        ("good", lines(&ledger.bundles)),
        ("mutants", mutants),
        ("without", lines(&[alone])),
        ("document", String::from_utf8(ledger.bundles[1].payload.clone().unwrap()).unwrap()),
        ("hostile", lines(std::slice::from_ref(hostile))),
        ("vkey", ledger.vkey().to_string()),
        ("other", other.vkey().to_string()),
        ("fingerprint", hostile.entry.fingerprint.to_string()),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
}

#[test]
fn the_page_is_small_and_fast_and_does_not_grow() {
    play("cost");
}

#[test]
fn keys_are_generated_disabled_and_retired_from_the_page() {
    play("keys");
}

#[test]
fn every_view_is_sound_in_both_colour_schemes_and_two_widths() {
    play("looks");
}

#[test]
fn the_page_says_when_it_is_stale_and_recovers() {
    play("outage");
}

#[test]
fn a_record_is_found_and_verified_and_hostile_texts_stay_text() {
    play("record");
}

#[test]
fn a_run_is_watched_to_its_end_and_the_figures_are_right() {
    play("run");
}

#[test]
fn people_sign_in_by_link_and_by_token() {
    play("sign_in");
}

/// Runs the tests of a file. Modules look for packages in the folders above them, so the files are seen in a folder
/// beside which the packages are.
fn play(scene: &str) {
    play_with(scene, |_| ());
}

/// As [`play`], with what `prepare` puts into the folder.
fn play_with(scene: &str, prepare: impl FnOnce(&Path)) {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    copy(&root().join("tests/dashboard"), here);
    prepare(here);
    symlink(packages(), here.join("node_modules")).unwrap();
    let minutes: u64 = std::env::var("TEST_MINUTES").map_or(0, |minutes| minutes.parse().unwrap());
    let limit = (900 + 70 * minutes).to_string(); // it settles for a sixth of the time
    let mut node = Command::new("timeout");
    node.args([&limit, "node", "--test", "--test-reporter=spec"]).arg(format!("scenes/{scene}.test.mjs"));
    let output = node.current_dir(here).env("TEST_BINARY", binary()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said.lines().filter(|line| line.contains("measured: ")).for_each(|line| println!("{line}"));
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn packages() -> std::path::PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let path = root().join(target).join("tools/dashboard/node_modules");
    assert!(path.exists(), "'{}' is missing: run scripts/install-tools first", path.display());
    path.canonicalize().unwrap()
}
