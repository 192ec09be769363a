//! Files of records as other programs write them: either their very bytes are stored, or the file is refused.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};
use support::sandbox::{Sandbox, failed, succeeded};

/// A file that somebody had trouble with.
fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cli/records");
    fs::read(folder.join(name)).unwrap()
}

/// Every payload, in the order of ids.
fn payloads(sandbox: &Sandbox) -> Vec<String> {
    let rows = sandbox.rows("SELECT id AS number, hex(payload) AS text FROM record ORDER BY id");
    let bytes = |hex: String| data_encoding::HEXUPPER.decode(hex.as_bytes()).unwrap();
    rows.into_iter().map(|(_, hex)| String::from_utf8_lossy(&bytes(hex)).into_owned()).collect()
}

/// Sends `content` to `signwave import -`.
fn piped(sandbox: &Sandbox, format: &str, content: &[u8]) -> Output {
    let mut command = sandbox.command(&["import", "-", "--format", format]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may have seen enough before all is written.
    let _ = child.stdin.take().unwrap().write_all(content);
    child.wait_with_output().unwrap()
}

/// A database, and files that it must refuse.
struct Refusing(Sandbox);

impl Refusing {
    fn new() -> Self {
        Self(Sandbox::migrated())
    }

    /// What `import` says of `content`, the same from a file and from standard input, when it has stored `rows`.
    fn refused(&self, extension: &str, format: &str, content: &[u8], rows: &[&str]) -> String {
        let before = payloads(&self.0).len();
        let name = format!("r.{extension}");
        self.0.write(&name, content);
        let error = self.0.fails(1, &["import", &name]);
        let by_pipe = failed(1, &piped(&self.0, format, content));
        assert_eq!(by_pipe.replace("standard input", &name), error);
        assert_eq!(payloads(&self.0)[before..], [rows, rows].concat(), "{error}");
        assert!(
            error.ends_with(&format!(
                "; imported rows stay stored ({} imported, 0 already stored)",
                rows.len()
            )),
            "{error}"
        );
        error
    }
}

#[test]
fn a_quote_that_never_closes_is_named_and_the_rows_before_it_stay() {
    let sandbox = Sandbox::migrated();
    sandbox.write("stray.csv", fixture("stray.csv"));
    let error = sandbox.fails(1, &["import", "stray.csv"]);
    assert!(error.starts_with("stray.csv:4: the quote that opens here never closes"), "{error}");
    assert!(error.ends_with("; imported rows stay stored (2 imported, 0 already stored)"), "{error}");
    assert_eq!(payloads(&sandbox), ["Pay 1 EUR", "Pay 2 EUR"]);
    // More than the largest payload follows.
    sandbox.write("r.csv", format!("payload\na\n\"b\n{}", "c\n".repeat(40_000)));
    let error = sandbox.fails(1, &["import", "r.csv", "--max-payload", "1000"]);
    assert!(error.starts_with("r.csv:3: the payload is larger than 1000 bytes"), "{error}");
    assert!(error.contains("or close the quote that opens here"), "{error}");
}

#[test]
fn csv_of_another_dialect_is_refused_with_its_line() {
    let files = Refusing::new();
    let header = "external_id,payload\n,ok\n";
    for (content, line, reason) in [
        (fixture("afterquote.csv"), 2, "only a comma or a line end may follow a closing quote"),
        (fixture("backslash.csv"), 2, "a backslash does not escape a quote"),
        (format!("{header}a,\"b\\\"c\"\n").into(), 3, "a backslash does not escape a quote"),
        (format!("{header}a, \"b\"\n").into(), 3, "remove the space"),
        (format!("{header}a,b\"c\"\n").into(), 3, "does not begin with one"),
        (format!("{header}a,\"b\n\"c,\"d\"\n").into(), 4, "close the quote that opens on line 3"),
        (format!("{header}\u{feff}{header}").into(), 3, "byte order mark"),
        (format!("{header}{header}").into(), 3, "repeats the header"),
        (format!("{header}a,b,c\n").into(), 3, "more fields than the 2"),
        (format!("{header}a\n").into(), 3, "the row has 1 of the header's 2 fields"),
        (format!("{header}a,b\rc,d\r").into(), 3, "CR without LF"),
        (format!("{header}a,\"b\nc\0\"\n").into(), 4, "NUL"),
    ] {
        let rows: &[&str] = if line == 2 { &[] } else { &["ok"] };
        let error = files.refused("csv", "csv", &content, rows);
        assert!(error.starts_with(&format!("r.csv:{line}: ")) && error.contains(reason), "{error}");
    }
}

#[test]
fn a_csv_header_of_another_tool_is_refused_with_the_way_out() {
    let files = Refusing::new();
    for (header, reason) in [
        ("external_id;payload", "mlr --csv --ifs semicolon --ofs comma cat FILE"),
        ("external_id\tpayload", "mlr --csv --ifs tab"),
        ("external_id|payload", "mlr --csv --ifs pipe"),
        ("sep=,\nexternal_id,payload", "only: remove it"),
        ("inv-1,Pay 1 EUR", "names the unknown column 'inv-1'"),
        ("Payload", "names the unknown column 'Payload'"),
        ("payload,payload", "twice"),
        ("payload,payload_base64", "must name one"),
        ("external_id", "must name one"),
        ("{\"payload\": \"a\"}", "add --format jsonl"),
        ("[{\"payload\": \"a\"}]", "add --format jsonl"),
    ] {
        let error = files.refused("csv", "csv", format!("{header}\na,b\n").as_bytes(), &[]);
        assert!(error.starts_with("r.csv:1: ") && error.contains(reason), "{error}");
    }
}

#[test]
fn csv_is_stored_byte_for_byte_in_every_form_that_the_rfc_allows() {
    let files = Refusing::new();
    let sandbox = Sandbox::migrated();
    let rows =
        "a,\"x, \"\"y\"\"\r\nz\"\r\nb,C:\\dir\\\n\n\"c, d\",\"C:\\dir\\\"\r\n,'e'\nf,\ng, h \nlast,\"\"";
    sandbox.write("r.csv", format!("external_id,\"payload\"\r\n{rows}"));
    sandbox.ok(&["import", "r.csv"]);
    assert_eq!(payloads(&sandbox), ["x, \"y\"\r\nz", "C:\\dir\\", "C:\\dir\\", "'e'", "", " h ", ""]);
    assert_eq!(sandbox.number("SELECT count(*) FROM record WHERE external_id = 'c, d'"), 1);

    let error = files.refused("csv", "csv", b"payload\na\n\nb\n", &["a"]);
    assert!(error.starts_with("r.csv:3: an empty line is ambiguous"), "{error}");
}

#[test]
fn json_lines_are_objects_and_nothing_else() {
    let files = Refusing::new();
    let error = files.refused("jsonl", "jsonl", &fixture("seq.jsonl"), &[]);
    assert!(error.starts_with("r.jsonl:1: not an object"), "{error}");
    for (line, reason) in [
        ("[{\"payload\": \"a\"}]", "jq -c '.[]' FILE"),
        ("{\n\"payload\": \"a\"\n}", "write one whole object per line"),
        ("{\"payload\": \"a\"}{\"payload\": \"b\"}", "trailing characters"),
        ("{\"payload\": \"a\", \"payl\\u006fad\": \"b\"}", "duplicate field `payload`"),
        ("{\"payload\": \"a\", \"note\": \"b\"}", "unknown field `note`"),
        ("{\"payload\": \"a\", \"payload_base64\": \"YQ==\"}", "both payload and payload_base64"),
        ("{\"payload\": 1e3}", "invalid type"),
        ("{\"payload\": null}", "neither payload"),
        ("{\"payload\": \"\\ud800\"}", "hex escape"),
        ("{\"payload_base64\": \"YQ\"}", "not base64"),
        ("external_id,payload", "not an object"),
        ("{\"payload\": \"a\0\"}", "NUL"),
    ] {
        let error =
            files.refused("jsonl", "jsonl", format!("{{\"payload\": \"ok\"}}\n{line}\n").as_bytes(), &["ok"]);
        assert!(error.starts_with("r.jsonl:2: ") && error.contains(reason), "{line}: {error}");
    }
}

#[test]
fn text_in_another_encoding_is_refused_in_every_format() {
    let files = Refusing::new();
    let utf16 =
        |text: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> { text.encode_utf16().flat_map(bytes).collect() };
    let error = files.refused("txt", "lines", &fixture("u16.txt"), &[]);
    assert!(
        error.starts_with("r.txt:1: the input is UTF-16 text: run 'iconv -f UTF-16 -t UTF-8 FILE"),
        "{error}"
    );
    for (extension, format, text) in [
        ("jsonl", "jsonl", "{\"payload\": \"a\"}\r\n"),
        ("csv", "csv", "payload\r\na\r\n"),
        ("txt", "lines", "a\r\nb\r\n"),
        ("txt", "lines", "記録\n記録記録記録\n"),
    ] {
        for (mark, bytes, encoding) in [
            ("\u{feff}", u16::to_le_bytes as fn(u16) -> [u8; 2], "UTF-16"),
            ("\u{feff}", u16::to_be_bytes, "UTF-16"),
            ("", u16::to_le_bytes, "UTF-16LE"),
            ("", u16::to_be_bytes, "UTF-16BE"),
        ] {
            let error = files.refused(extension, format, &utf16(&format!("{mark}{text}"), bytes), &[]);
            let advice =
                format!("run 'iconv -f {encoding} -t UTF-8 FILE | signwave import - --format {format}'");
            assert!(error.contains(&advice), "{error}");
        }
    }
}

#[test]
fn a_byte_order_mark_is_taken_off_in_every_format() {
    let jsonl = "{\"payload\": \"first\"}\n{\"payload\": \"second\"}\n";
    for (format, text) in
        [("jsonl", jsonl), ("csv", "payload\nfirst\nsecond\n"), ("lines", "first\nsecond\n")]
    {
        let sandbox = Sandbox::migrated();
        succeeded(&piped(&sandbox, format, format!("\u{feff}{text}").as_bytes()));
        assert_eq!(payloads(&sandbox), ["first", "second"], "{format}");
        let empty = piped(&sandbox, format, "\u{feff}".as_bytes());
        assert!(format == "csv" || empty.status.success(), "{empty:?}");
    }
    let sandbox = Sandbox::migrated();
    sandbox.write("bom.txt", fixture("bom.txt"));
    sandbox.ok(&["import", "bom.txt"]);
    assert_eq!(payloads(&sandbox), ["first", "second"]);
}

#[test]
fn compressed_files_and_documents_are_refused_in_every_format() {
    let files = Refusing::new();
    for (extension, format) in [("jsonl", "jsonl"), ("csv", "csv"), ("txt", "lines")] {
        for (content, advice) in [
            (&fixture("gz.txt")[..], "zcat FILE"),
            (b"PK\x03\x04\x14\0\x06\0[Content_Types].xml", "save the spreadsheet as 'CSV UTF-8'"),
            (b"\x28\xb5\x2f\xfd\x04\x58", "zstdcat FILE"),
            (b"\xfd7zXZ\0\0\x04", "xzcat FILE"),
            (b"BZh91AY&SY\x01", "bzcat FILE"),
            (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Office file"),
        ] {
            let error = files.refused(extension, format, content, &[]);
            assert!(error.contains(&format!("r.{extension}:1: the input is ")), "{error}");
            assert!(error.contains(advice), "{error}");
        }
    }
    // The advice works.
    let sandbox = Sandbox::migrated();
    sandbox.write("r.csv", "payload\na\n");
    assert!(Command::new("gzip").arg(sandbox.path("r.csv")).status().unwrap().success());
    let error = sandbox.fails(1, &["import", "r.csv.gz"]);
    assert!(error.contains("run 'zcat FILE | signwave import - --format csv'"), "{error}");
    let unpacked = Command::new("zcat").arg(sandbox.path("r.csv.gz")).output().unwrap();
    succeeded(&piped(&sandbox, "csv", &unpacked.stdout));
    assert_eq!(payloads(&sandbox), ["a"]);
}

#[test]
fn lines_that_are_cut_or_hold_no_text_are_refused() {
    let files = Refusing::new();
    for (content, line, rows) in [
        (&b"a\0b\0"[..], 1, &[][..]),
        (b"ok\nb\0\n", 2, &["ok"]),
        (b"a\rb\rc\r", 1, &[]),
        (b"ok\r\nb\r", 2, &["ok"]),
        (b"ok\n\xef\xbb\xbfb\n", 2, &["ok"]),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 1, &[]),
    ] {
        let error = files.refused("txt", "lines", content, rows);
        assert!(error.starts_with(&format!("r.txt:{line}: ")), "{error}");
    }
    let sandbox = Sandbox::migrated();
    std::fs::create_dir(sandbox.path("r.txt")).unwrap();
    assert_eq!(
        sandbox.fails(1, &["import", "r.txt"]),
        "'r.txt' is a folder: import the files in it one by one"
    );
}
