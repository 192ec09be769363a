//! The README's commands, run as they stand there, in an empty folder.

use std::{fs, net::TcpListener, os::unix::fs::symlink, path::Path, process::Command};

const MARK: &str = "<!-- tests/cli/readme.rs runs this -->\n```sh\n";

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
    let run = |block: &str| {
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", block])
            .current_dir(folder.path())
            .env("PATH", &path)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{block}\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
        said
    };
    let blocks = blocks()
        .try_into()
        .expect("your own records, the feed, over HTTP, keys in files, bundles, and openssl");
    let [own_records, feed, http, files, bundles, openssl] = blocks;
    let said = run(&own_records);
    assert!(said.contains("problems    none"), "{said}");
    let exported = fs::read_to_string(folder.path().join("signatures.csv")).unwrap();
    assert_eq!(exported.lines().count(), 3, "a header and two records");
    assert_eq!(run(&openssl), "Verified OK\n");

    run(&feed);
    let fed = fs::read_to_string(folder.path().join("feed.jsonl")).unwrap();
    assert_eq!(fed.lines().count(), 2, "each signature once");

    // Another program may listen at the default address while the test runs.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let elsewhere = http.replace("signwave serve", &format!("signwave serve --listen 127.0.0.1:{port}"));
    let said = run(&elsewhere.replace("127.0.0.1:7446", &format!("127.0.0.1:{port}")));
    assert!(said.contains("\"ok\":true") && said.ends_with("Verified OK\n"), "{said}");

    let said = run(&files);
    assert!(said.contains("signer.pem: not in the database") && said.ends_with("\n"), "{said}");
    assert_eq!(said.lines().last().unwrap().len(), 64, "the fingerprint of the new key");

    let said = run(&bundles);
    assert!(said.ends_with(" verified, 0 refused\n"), "{said}");

    // Names that look like something else to those who split lines at commas or quotes.
    let names =
        ["Smith, Ada", "\"signature\":\"x\"", "two\nlines,", "back\\", "fingerprint", "\",\"signature\":\"x"];
    let rows = names.map(|name| format!("{}\n", serde_json::json!({"external_id": name, "payload": name})));
    fs::write(folder.path().join("names.jsonl"), rows.concat()).unwrap();
    run("signwave import names.jsonl; signwave sign");
    for (number, name) in (4..).zip(names) {
        let this_one = openssl.replace("head -n 1", &format!("sed -n {number}p"));
        assert!(this_one != openssl, "{openssl}");
        assert_eq!(run(&this_one), "Verified OK\n", "{name}");
        assert_eq!(fs::read_to_string(folder.path().join("payload.bin")).unwrap(), name);
    }
}
