//! The README's commands, run as they stand there, in an empty folder; and the tests that GUARANTEES.md names.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

const MARK: &str = "<!-- tests/readme.rs runs this -->\n```sh\n";

/// The marked blocks, in order.
fn blocks() -> Vec<String> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    readme.split(MARK).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_commands_of_the_readme_work_in_an_empty_folder() {
    let folder = tempfile::TempDir::new().unwrap();
    let programs = folder.path().join("programs");
    fs::create_dir(&programs).unwrap();
    symlink(env!("CARGO_BIN_EXE_signwave"), programs.join("signwave")).unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let blocks = blocks();
    assert_eq!(blocks.len(), 2, "your own records, and openssl");
    let mut said = String::new();
    for block in blocks {
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &block])
            .current_dir(folder.path())
            .env("PATH", &path)
            .output()
            .unwrap();
        said.push_str(&String::from_utf8_lossy(&output.stdout));
        assert!(output.status.success(), "{block}\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(said.contains("problems    none"), "{said}");
    assert!(said.ends_with("Verified OK\n"), "{said}");
    let exported = fs::read_to_string(folder.path().join("signatures.csv")).unwrap();
    assert_eq!(exported.lines().count(), 3, "a header and two records");
}

#[test]
fn every_test_that_guarantees_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("GUARANTEES.md")).unwrap();
    let links: Vec<_> = page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    let missing: Vec<_> = links.iter().filter(|path| !root.join(path).exists()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    // [`name`](path)
    let named = page.split("[`").skip(1).filter_map(|rest| rest.split_once("`](")).map(|(name, rest)| {
        let code = fs::read_to_string(root.join(rest.split(')').next().unwrap())).unwrap();
        assert!(code.contains(&format!("fn {name}()")) || code.contains(&format!("{name}:")), "{name}");
    });
    assert!(named.count() >= 20, "the form of its links has changed");
}
