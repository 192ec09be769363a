//! Records in: every format, run twice, stopped in the middle.

use std::{
    io::{Read, Write},
    process::Stdio,
};
use support::sandbox::{Sandbox, failed, succeeded};

const JSONL: &str = "{\"external_id\": \"a\", \"payload\": \"one\"}\n{\"external_id\": \"b\", \"payload_base64\": \"AP8=\"}\n";
const CSV: &str = "external_id,payload_base64\na,b25l\nb,AP8=\n";

/// Every payload, in hex, in the order of ids.
fn payloads(sandbox: &Sandbox) -> Vec<String> {
    let rows = sandbox.rows("SELECT id AS number, hex(payload) AS text FROM record ORDER BY id");
    rows.into_iter().map(|(_, payload)| payload).collect()
}

fn import(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let output = sandbox.run(&[&["import"], arguments].concat());
    succeeded(&output);
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn each_format_brings_the_same_bytes_and_can_be_imported_again() {
    for (name, content) in [("r.jsonl", JSONL), ("r.ndjson", JSONL), ("r.csv", CSV), ("R.CSV", CSV)] {
        let sandbox = Sandbox::migrated();
        sandbox.write(name, content);
        let said = import(&sandbox, &[name]);
        assert!(said.contains(&format!("{name}: 2 imported, 0 already stored")), "{said}");
        assert_eq!(payloads(&sandbox), ["6F6E65", "00FF"]);
        let said = import(&sandbox, &[name]);
        assert!(said.contains("0 imported, 2 already stored"), "{said}");
        assert_eq!(payloads(&sandbox).len(), 2);
    }
}

#[test]
fn lines_are_payloads_without_their_ends() {
    let sandbox = Sandbox::migrated();
    sandbox.write("r.txt", b"one\n\n\xff \r\nlast");
    import(&sandbox, &["r.txt"]);
    assert_eq!(payloads(&sandbox), ["6F6E65", "", "FF20", "6C617374"]);
}

#[test]
fn standard_input_is_read_in_the_format_that_is_named() {
    for (format, content) in [("jsonl", JSONL), ("csv", CSV)] {
        let sandbox = Sandbox::migrated();
        let mut command = sandbox.command(&["import", "-", "--format", format]);
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(content.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        succeeded(&output);
        assert!(String::from_utf8(output.stderr).unwrap().contains("standard input: 2 imported"));
        assert_eq!(payloads(&sandbox), ["6F6E65", "00FF"]);
    }
}

#[test]
fn many_chunks_are_imported_and_an_import_that_was_cut_off_is_finished_by_the_next() {
    let sandbox = Sandbox::migrated();
    let lines: String =
        (1..=2500).map(|i| format!("{{\"external_id\": \"r{i}\", \"payload\": \"p{i}\"}}\n")).collect();
    let (half, _) = lines.split_at(lines.len() / 2);
    sandbox.write("r.jsonl", half);
    let error = sandbox.fails(1, &["import", "r.jsonl"]);
    let there = sandbox.number("SELECT count(*) FROM record");
    assert!(error.starts_with(&format!("r.jsonl:{}: ", there + 1)), "{error}");
    assert!(
        error.ends_with(&format!("; imported rows stay stored ({there} imported, 0 already stored)")),
        "{error}"
    );
    assert!(there > 1000, "whole chunks and a part of one: {there}");
    sandbox.write("r.jsonl", &lines);
    let said = import(&sandbox, &["r.jsonl"]);
    assert!(said.contains(&format!("{} imported, {there} already stored", 2500 - there)), "{said}");
    assert_eq!(sandbox.number("SELECT count(DISTINCT external_id) FROM record"), 2500);
}

#[test]
fn a_malformed_line_is_named_and_the_rows_before_it_stay() {
    for (name, content, place, reason) in [
        ("r.jsonl", "{\"payload\": \"a\"}\n{\"payload\": 1}\n", "r.jsonl:2: ", "invalid type: integer `1`"),
        ("r.jsonl", "{\"payload\": \"a\"}\n\nnot json\n", "r.jsonl:3: ", "not an object"),
        ("r.jsonl", "{\"payload\": \"a\"}\n{\"paylod\": \"a\"}\n", "r.jsonl:2: ", "unknown field `paylod`"),
        ("r.csv", "payload\na\nb,c\n", "r.csv:3: ", "the row has more fields than the 1 of the header"),
        ("r.csv", "payload\r\na\r\nb,c\r\n", "r.csv:3: ", "the row has more fields than the 1 of the header"),
        ("r.csv", "payload_base64\nYQ==\n?\n", "r.csv:3: ", "not base64"),
    ] {
        let sandbox = Sandbox::migrated();
        sandbox.write(name, content);
        let error = sandbox.fails(1, &["import", name]);
        assert!(error.starts_with(place) && error.contains(reason), "{error}");
        assert!(error.ends_with("; imported rows stay stored (1 imported, 0 already stored)"), "{error}");
        assert_eq!(payloads(&sandbox), ["61"], "{content}");
    }
}

#[test]
fn a_csv_header_that_is_not_understood_is_refused() {
    let sandbox = Sandbox::migrated();
    sandbox.write("r.csv", "id,payload\n1,a\n");
    let error = sandbox.fails(1, &["import", "r.csv"]);
    assert!(error.starts_with("r.csv:1: the header names the unknown column 'id'"), "{error}");
    assert!(payloads(&sandbox).is_empty());
}

#[test]
fn the_same_external_id_with_another_payload_is_refused_and_nothing_is_overwritten() {
    for (name, content) in [
        (
            "r.jsonl",
            "{\"external_id\": \"c\", \"payload\": \"c\"}\n{\"external_id\": \"a\", \"payload\": \"other\"}\n{\"external_id\": \"d\", \"payload\": \"d\"}\n",
        ),
        ("r.csv", "\nexternal_id,payload\nc,c\na,other\nd,d\n"),
    ] {
        let sandbox = Sandbox::migrated();
        sandbox.write("first.jsonl", JSONL);
        import(&sandbox, &["first.jsonl"]);
        sandbox.write(name, content.trim_start());
        let error = sandbox.fails(1, &["import", name]);
        let line =
            content.lines().position(|line| line.contains("other")).unwrap() + usize::from(name == "r.jsonl");
        assert!(
            error.starts_with(&format!("{name}:{line}: external_id 'a' is there with another payload")),
            "{error}"
        );
        assert!(error.ends_with("; imported rows stay stored (1 imported, 0 already stored)"), "{error}");
        assert_eq!(payloads(&sandbox), ["6F6E65", "00FF", "63"]);
    }
}

#[test]
fn a_payload_over_the_limit_is_refused_and_one_at_the_limit_is_taken() {
    for name in ["r.jsonl", "r.csv", "r.txt"] {
        let row = |size: usize| match name {
            "r.jsonl" => format!("{{\"payload\": \"{}\"}}\n", "x".repeat(size)),
            _ => format!("{}\n", "x".repeat(size)),
        };
        let header = if name == "r.csv" { "payload\n" } else { "" };
        let sandbox = Sandbox::migrated();
        sandbox.write(name, format!("{header}{}{}", row(1000), row(1001)));
        let error = sandbox.fails(1, &["import", name, "--max-payload", "1000"]);
        let line = if header.is_empty() { 2 } else { 3 };
        assert!(
            error.starts_with(&format!("{name}:{line}: the payload is larger than 1000 bytes")),
            "{error}"
        );
        assert_eq!(sandbox.number("SELECT sum(length(payload)) FROM record"), 1000);
    }
    let sandbox = Sandbox::migrated();
    sandbox.write("r.txt", "x".repeat((16 << 20) + 1));
    let error = sandbox.fails(1, &["import", "r.txt"]);
    assert!(error.contains("larger than 16777216 bytes"), "{error}");
    sandbox.write("r.txt", "x".repeat(16 << 20));
    import(&sandbox, &["r.txt"]);
}

#[test]
fn an_endless_line_does_not_fill_the_memory() {
    for (format, begin) in
        [("jsonl", "{\"payload\":\"a\"}\n{\"payload\":\""), ("csv", "payload\n\""), ("lines", "a\n")]
    {
        let sandbox = Sandbox::migrated();
        // What it needs, and not what it is sent. Address space is not limited, because threads reserve much more of it
        // than they use.
        let script = "ulimit -d 200000; exec \"$@\"";
        let binary = env!("CARGO_BIN_EXE_signwave");
        let arguments =
            ["-c", script, "sh", binary, "import", "-", "--format", format, "--max-payload", "1000000"];
        let mut child =
            sandbox.program("sh", &arguments).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        // It stops reading long before the 2 GiB are over.
        let sent =
            std::io::copy(&mut begin.as_bytes().chain(std::io::repeat(b'x')).take(2 << 30), &mut input);
        assert!(sent.is_err(), "{format}");
        drop(input);
        let error = failed(1, &child.wait_with_output().unwrap());
        assert!(error.contains("standard input:2: the payload is larger than 1000000 bytes"), "{error}");
    }
}
