//! What `export -o` does to whatever has that name already.

use std::{
    fs,
    io::Read,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
    os::unix::net::UnixListener,
};
use support::sandbox::{Sandbox, succeeded};

use crate::verify::signed;

/// Runs a script in the folder, where `signwave` is the binary.
fn shell(sandbox: &Sandbox, script: &str) {
    let script = format!("set -eu; signwave() {{ {} \"$@\"; }}; {script}", env!("CARGO_BIN_EXE_signwave"));
    succeeded(&sandbox.program("bash", &["-c", &script]).output().unwrap());
}

#[test]
fn a_named_pipe_stays_one_and_its_reader_gets_everything() {
    let sandbox = signed();
    let expected = sandbox.ok(&["export"]);
    assert!(sandbox.program("mkfifo", &["pipe"]).status().unwrap().success());
    // The reader holds both ends, so that it does not wait for ever when nobody opens the pipe.
    let reader = fs::File::options().read(true).write(true).open(sandbox.path("pipe")).unwrap();
    let export = sandbox.command(&["export", "-o", "pipe"]).spawn().unwrap();
    let mut read = String::new();
    reader.take(expected.len() as u64).read_to_string(&mut read).unwrap();
    succeeded(&export.wait_with_output().unwrap());
    assert!(fs::metadata(sandbox.path("pipe")).unwrap().file_type().is_fifo());
    assert_eq!(read, expected);
}

#[test]
fn a_symbolic_link_stays_one_and_what_it_leads_to_is_written() {
    let sandbox = signed();
    let expected = sandbox.ok(&["export"]);
    fs::create_dir_all(sandbox.path("deep/folder")).unwrap();
    sandbox.write("deep/target", "old");
    symlink("target", sandbox.path("deep/link")).unwrap();
    symlink("../link", sandbox.path("deep/folder/link")).unwrap();
    symlink(sandbox.path("deep/new"), sandbox.path("dangling")).unwrap();
    symlink("deep/folder", sandbox.path("folder")).unwrap();
    for (link, target) in [
        ("deep/link", "deep/target"),
        ("deep/folder/link", "deep/target"),
        ("folder/link", "deep/target"),
        ("dangling", "deep/new"),
    ] {
        assert_eq!(sandbox.ok(&["export", "-o", link]), "");
        assert!(fs::symlink_metadata(sandbox.path(link)).unwrap().is_symlink(), "{link}");
        assert!(fs::symlink_metadata(sandbox.path(target)).unwrap().is_file(), "{target}");
        assert_eq!(sandbox.read(target), expected, "{link}");
        sandbox.write(target, "old");
    }
    let mut there: Vec<_> =
        fs::read_dir(sandbox.path("deep")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    there.sort();
    assert_eq!(there, ["folder", "link", "new", "target"], "no draft stays behind");
    symlink("ring", sandbox.path("ring")).unwrap();
    assert!(sandbox.fails(1, &["export", "-o", "ring"]).contains("Too many levels of symbolic links"));
}

#[test]
fn devices_and_open_descriptors_are_written_to_as_they_are() {
    let sandbox = signed();
    let expected = sandbox.ok(&["export"]);
    // By a link, so that a mistake does not replace the machine's own device.
    for (link, device) in [("null", "/dev/null"), ("out", "/dev/stdout")] {
        symlink(device, sandbox.path(link)).unwrap();
        let output = sandbox.ok(&["export", "-o", link]);
        assert_eq!(output, if link == "out" { &*expected } else { "" });
        assert!(fs::symlink_metadata(sandbox.path(link)).unwrap().is_symlink(), "{link}");
    }
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    symlink("/dev/full", sandbox.path("full")).unwrap();
    assert!(sandbox.fails(1, &["export", "-o", "full"]).contains("No space left on device"));

    // What a shell has open is neither replaced nor written over from its start.
    for descriptor in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "out"] {
        shell(
            &sandbox,
            &format!("echo begin > log; {{ signwave export -o {descriptor}; echo end; }} >> log"),
        );
        assert_eq!(sandbox.read("log"), format!("begin\n{expected}end\n"), "{descriptor}");
    }
    shell(&sandbox, "{ echo begin >&3; signwave export -o /dev/fd/3; } 3> log");
    assert_eq!(sandbox.read("log"), format!("begin\n{expected}"));
    shell(&sandbox, "signwave export -o >(cat > log); while ! grep -q '\"record_id\":60,' log; do :; done");
    shell(&sandbox, "signwave export -o /dev/stderr 2> log");
    assert_eq!(sandbox.read("log"), expected);
}

#[test]
fn a_regular_file_is_replaced_with_the_permissions_that_it_had() {
    let sandbox = signed();
    let expected = sandbox.ok(&["export"]);
    sandbox.write("out", "old");
    fs::hard_link(sandbox.path("out"), sandbox.path("other")).unwrap();
    for mode in [0o600, 0o640, 0o644, 0o666] {
        fs::set_permissions(sandbox.path("out"), PermissionsExt::from_mode(mode)).unwrap();
        let owner = fs::metadata(sandbox.path("out")).map(|file| (file.uid(), file.gid())).unwrap();
        sandbox.ok(&["export", "-o", "out"]);
        assert_eq!((sandbox.mode("out"), sandbox.read("out")), (mode, expected.clone()));
        assert_eq!(fs::metadata(sandbox.path("out")).map(|file| (file.uid(), file.gid())).unwrap(), owner);
    }
    assert_eq!(sandbox.read("other"), "old", "its other name keeps what it had");
}

#[test]
fn what_cannot_be_an_output_is_refused_and_stays() {
    let sandbox = signed();
    fs::create_dir(sandbox.path("folder")).unwrap();
    assert_eq!(sandbox.fails(1, &["export", "-o", "folder"]), "'folder' is a folder: name a file");
    let _socket = UnixListener::bind(sandbox.path("socket")).unwrap();
    assert!(
        sandbox.fails(1, &["export", "-o", "socket"]).starts_with("cannot write 'socket': No such device")
    );
    assert!(fs::symlink_metadata(sandbox.path("socket")).unwrap().file_type().is_socket());

    symlink("signwave.db", sandbox.path("link")).unwrap();
    for name in ["signwave.db", "signwave.db.master", "link"] {
        let before = fs::read(sandbox.path(name)).unwrap();
        let error = sandbox.fails(1, &["export", "-o", name]);
        assert_eq!(error, format!("'{name}' belongs to the database itself: name another file"));
        assert_eq!(fs::read(sandbox.path(name)).unwrap(), before);
    }
    sandbox.ok(&["verify"]);
}
