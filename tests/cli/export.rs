//! Signatures out.

use std::{collections::HashMap, io::Read, process::Stdio};

use data_encoding::{BASE64, HEXUPPER};
use serde_json::Value;
use support::sandbox::{Sandbox, failed, succeeded};

use crate::verify::signed;

fn jsonl(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_signature_is_exported_as_it_is_stored() {
    let sandbox = signed();
    let expected: HashMap<_, _> = sandbox
        .rows("SELECT record_id AS number, external_id || ' ' || fingerprint || ' ' || scheme || ' ' || signed_at || ' ' || hex(signature) || ' ' || hex(payload) AS text FROM signed_record")
        .into_iter()
        .collect();
    let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
    let hex =
        |value: &Value, name: &str| HEXUPPER.encode(&BASE64.decode(text(value, name).as_bytes()).unwrap());

    let rows = jsonl(&sandbox.ok(&["export", "--with-payload"]));
    let exported: HashMap<_, _> = rows
        .iter()
        .map(|row| {
            let names = ["external_id", "fingerprint", "scheme", "signed_at"].map(|name| text(row, name));
            let bytes = ["signature", "payload_base64"].map(|name| hex(row, name));
            (row["record_id"].as_i64().unwrap(), [&names[..], &bytes[..]].concat().join(" "))
        })
        .collect();
    assert_eq!(exported, expected);
    assert_eq!(rows.len(), 60);
    assert!(jsonl(&sandbox.ok(&["export"]))[0].get("payload_base64").is_none());

    let csv = sandbox.ok(&["export", "--format", "csv"]);
    let header = "record_id,external_id,fingerprint,scheme,signed_at,signature\n";
    let body = csv.strip_prefix(header).unwrap();
    for (line, row) in body.lines().zip(&rows) {
        let fields =
            ["external_id", "fingerprint", "scheme", "signed_at", "signature"].map(|name| text(row, name));
        assert_eq!(line, format!("{},{}", row["record_id"], fields.join(",")));
    }
    assert_eq!(body.lines().count(), 60);
}

#[test]
fn nothing_is_exported_before_it_is_signed() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "10", "--keys", "1"]);
    assert_eq!(sandbox.ok(&["export"]), "");
    assert_eq!(sandbox.ok(&["export", "--format", "csv"]).lines().count(), 1);
}

#[test]
fn a_file_appears_whole_and_for_its_owner_only() {
    let sandbox = signed();
    assert_eq!(sandbox.ok(&["export", "-o", "out.jsonl"]), "");
    assert_eq!(sandbox.read("out.jsonl"), sandbox.ok(&["export"]));
    assert_eq!(sandbox.mode("out.jsonl"), 0o600);
    assert!(sandbox.fails(1, &["export", "-o", "no/out.jsonl"]).starts_with("cannot write 'no/out.jsonl': "));
}

#[test]
fn an_export_that_fails_leaves_no_file_behind() {
    let sandbox = signed();
    sandbox.write("out.jsonl", "old");
    let before = sandbox.files();
    let arguments = [
        "-c",
        "trap '' XFSZ; ulimit -f 70; exec \"$@\"",
        "sh",
        env!("CARGO_BIN_EXE_signwave"),
        "export",
        "--with-payload",
        "-o",
        "out.jsonl",
    ];
    let error = failed(1, &sandbox.program("sh", &arguments).output().unwrap());
    assert!(error.contains("the output cannot be written: File too large"), "{error}");
    assert_eq!(sandbox.read("out.jsonl"), "old");
    assert_eq!(sandbox.files(), before);
}

#[test]
fn a_full_device_is_an_error_and_a_reader_that_has_enough_is_none() {
    let sandbox = signed();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let error = failed(1, &sandbox.command(&["export"]).stdout(full).output().unwrap());
    assert_eq!(error, "the output cannot be written: No space left on device (os error 28)");

    // More than a pipe holds, so that the reader is gone before all is written.
    let large = Sandbox::new();
    large.ok(&["seed", "--records", "20", "--keys", "1", "--payload-size", "100000"]);
    large.ok(&["sign"]);
    let mut export = large.command(&["export", "--with-payload"]);
    let mut child = export.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 10];
    let mut reader = child.stdout.take().unwrap();
    reader.read_exact(&mut first).unwrap();
    drop(reader);
    let output = child.wait_with_output().unwrap();
    succeeded(&output);
    assert!(output.stderr.is_empty(), "{output:#?}");
}
