//! A full disk, a folder that cannot be written: an error, and nothing lost.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    process::Output,
};
use support::{
    process::copy_program,
    sandbox::{Sandbox, failed},
};

use crate::verify::signed;

const BINARY: &str = env!("CARGO_BIN_EXE_signwave");

fn jsonl(rows: u32) -> String {
    (1..=rows)
        .map(|i| format!("{{\"external_id\": \"r{i}\", \"payload\": \"{}\"}}\n", "x".repeat(400)))
        .collect()
}

/// Runs the binary where no file can grow beyond `blocks` of 512 bytes.
fn with_small_files(sandbox: &Sandbox, blocks: &str, arguments: &[&str]) -> Output {
    let script = "trap '' XFSZ; ulimit -f $0; exec \"$@\"";
    sandbox.program("sh", &[&["-c", script, blocks, BINARY], arguments].concat()).output().unwrap()
}

#[test]
fn an_import_that_runs_out_of_room_keeps_what_it_stored_and_can_be_finished() {
    let sandbox = Sandbox::migrated();
    sandbox.write("r.jsonl", jsonl(5000));
    let error = failed(1, &with_small_files(&sandbox, "2000", &["import", "r.jsonl"]));
    let there = sandbox.number("SELECT count(*) FROM record");
    assert!(
        error.ends_with(&format!("; imported rows stay stored ({there} imported, 0 already stored)")),
        "{error}"
    );
    assert!(there > 0 && there < 5000, "{there}");
    sandbox.ok(&["import", "r.jsonl"]);
    assert_eq!(sandbox.number("SELECT count(*) FROM record"), 5000);
    sandbox.ok(&["verify"]);
}

#[test]
fn signing_that_runs_out_of_room_loses_nothing_and_can_be_finished() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "3000", "--keys", "2"]);
    let script = "trap '' XFSZ; ulimit -f $0; exec timeout 5 \"$@\"";
    let arguments = ["-c", script, "2600", BINARY, "sign", "--batch-size", "100"];
    let output = sandbox.program("sh", &arguments).output().unwrap();
    assert!(!output.status.success(), "{output:#?}");
    assert!(sandbox.number("SELECT count(*) FROM signature") < 3000);
    sandbox.ok(&["sign", "--batch-size", "100"]);
    assert!(sandbox.ok(&["verify"]).contains("verified    3000 signatures"));
}

#[test]
fn a_full_disk_is_called_that() {
    let sandbox = Sandbox::new();
    sandbox.write("r.jsonl", jsonl(5000));
    fs::create_dir(sandbox.path("disk")).unwrap();
    // A disk of 1 MiB that this one process sees. Some containers forbid it: there a limit on the
    // size of files stands in, which SQLite cannot tell from other failures to write.
    let mount = "mount -t tmpfs -o size=1m tmpfs disk";
    let allowed = sandbox.program("unshare", &["-rm", "sh", "-c", mount]).output().unwrap().status.success();
    let limit = if allowed { mount } else { "trap '' XFSZ; ulimit -f 2000" };
    let script = format!("{limit} && $0 migrate && $0 import r.jsonl");
    let shell: &[&str] = if allowed { &["unshare", "-rm", "sh"] } else { &["sh"] };
    let mut command = sandbox.program(shell[0], &[&shell[1..], &["-c", &script, BINARY]].concat());
    let error = failed(1, &command.env("SIGNWAVE_DATABASE", "disk/signwave.db").output().unwrap());
    let expected = if allowed {
        "the disk is full: make room and run the command again, nothing is lost"
    } else {
        "the outcome of a commit is unknown"
    };
    assert!(error.starts_with(expected), "{error}");
}

/// Runs the binary as somebody for whom permissions count, which root is not.
fn as_nobody(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    if rustix::process::geteuid().is_root() {
        // Where the binary is built, others may not be able to go.
        if !sandbox.path("signwave").exists() {
            copy_program(BINARY, &sandbox.path("signwave"));
        }
        let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "./signwave"];
        sandbox.program("setpriv", &[&nobody[..], arguments].concat()).output().unwrap()
    } else {
        sandbox.run(arguments)
    }
}

fn set_mode(sandbox: &Sandbox, name: &str, mode: u32) {
    fs::set_permissions(sandbox.path(name), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_folder_that_cannot_be_written_is_called_that() {
    let sandbox = signed();
    drop(as_nobody(&sandbox, &["--version"]));
    for name in ["signwave.db", "signwave.db.master"] {
        set_mode(&sandbox, name, 0o644);
    }
    set_mode(&sandbox, "", 0o555);
    for arguments in [&["sign"][..], &["seed", "--records", "100"], &["migrate", "--database", "new.db"]] {
        let error = failed(1, &as_nobody(&sandbox, arguments));
        assert!(
            error.contains("is read-only: check the permissions of the file and of its folder"),
            "{arguments:?}: {error}"
        );
    }
    let error = failed(1, &as_nobody(&sandbox, &["keys", "init-master", "m"]));
    assert_eq!(error, "the master key file m could not be created: Permission denied (os error 13)");
    set_mode(&sandbox, "", 0o755);
    sandbox.ok(&["verify"]);
}

#[test]
fn files_that_cannot_be_read_are_called_that() {
    let sandbox = signed();
    for name in ["secret.jsonl", "secret.pem"] {
        sandbox.write(name, "");
        set_mode(&sandbox, name, 0o000);
    }
    set_mode(&sandbox, "", 0o777);
    set_mode(&sandbox, "signwave.db", 0o666);
    let error = failed(1, &as_nobody(&sandbox, &["import", "secret.jsonl"]));
    assert_eq!(error, "cannot open 'secret.jsonl': check its name and permissions");
    if rustix::process::geteuid().is_root() {
        let error = failed(1, &as_nobody(&sandbox, &["sign"]));
        assert!(
            error.starts_with("the master key file signwave.db.master could not be read: Permission denied"),
            "{error}"
        );
    }
}

#[test]
fn too_few_open_files_are_an_error_with_advice() {
    let sandbox = Sandbox::migrated();
    sandbox.ok(&["seed", "--records", "10", "--keys", "1"]);
    for allowed in [9, 10, 12, 14, 16, 20, 24] {
        for command in ["sign", "serve", "status", "verify", "export"] {
            let script = format!("ulimit -n {allowed} && exec {} {command}", env!("CARGO_BIN_EXE_signwave"));
            let output = sandbox.program("sh", &["-c", &script]).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                !said.contains("panicked") && !said.contains("mistake"),
                "{command} with {allowed}: {said}"
            );
            if output.status.code() != Some(0) || matches!(command, "sign" | "serve") {
                assert_eq!(output.status.code(), Some(1), "{command} with {allowed}: {said}");
                assert!(said.contains("'ulimit -n 64'"), "{command} with {allowed}: {said}");
            }
        }
    }
}

#[test]
fn what_a_terminal_would_obey_is_shown_by_name() {
    let sandbox = Sandbox::migrated();
    sandbox.ok(&["seed", "--records", "1", "--keys", "1"]);
    sandbox.sql("INSERT INTO node (name, lease_until, lease_ttl, custodians) VALUES ('a' || char(27, 93, 155, 10) || 'b', '2999', 1000, '')");
    sandbox.ok(&["keys", "disable", "1", "--reason", "x\u{1b}[2J\u{9b}y"]);
    let is_harmless = |text: &str| text.chars().all(|c| !c.is_control() || c == '\n');
    for command in [
        &["status"][..],
        &["status", "--json"],
        &["keys", "list"],
        &["keys", "list", "--json"],
        &["keys", "show", "1"],
    ] {
        let shown = sandbox.ok(command);
        assert!(is_harmless(&shown), "{command:?}: {shown:?}");
        assert!(shown.contains("1b"), "{command:?}: {shown:?}");
    }
    // The node is dead, which is logged with its name; and the key may not sign, which is an error.
    sandbox.sql("UPDATE node SET lease_until = '2000'");
    for format in ["text", "json"] {
        let output = sandbox.run(&["sign", "--log-format", format]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(is_harmless(&said), "{said:?}");
    }
    let bad = sandbox.fails(2, &["sign", "--node-name", &"\u{1b}".repeat(100_000)]);
    assert!(is_harmless(&bad) && bad.len() < 5000, "{}", bad.len());
}
