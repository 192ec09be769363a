//! Every file that is made belongs to its owner alone, whatever the umask.

use std::{os::unix::fs::MetadataExt, process::Command, time::Duration};

use rustix::process::Signal;
use support::{process::Running, sandbox::Sandbox, waiting::until};

use crate::watched::files;

/// The binary under a umask.
fn under(umask: &str, sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut shell = sandbox.program("sh", &["-c", "umask \"$1\"; shift; exec \"$@\"", "sh", umask]);
    shell.arg(env!("CARGO_BIN_EXE_signwave")).args(arguments);
    shell
}

fn check(sandbox: &Sandbox, umask: &str) -> usize {
    let files = files(&sandbox.path(""));
    for file in files.iter().filter(|file| !file.ends_with("records.txt") && !file.ends_with("log")) {
        let Ok(metadata) = file.metadata() else { continue }; // SQLite removes some
        assert_eq!(metadata.mode() & 0o777, 0o600, "umask {umask}: {}", file.display());
    }
    files.len()
}

#[test]
fn files_are_made_for_their_owner_alone_under_any_umask() {
    for umask in ["000", "022", "077"] {
        let sandbox = Sandbox::new();
        sandbox.write("records.txt", "one\ntwo\n");
        for arguments in [
            &["migrate"][..],
            &["keys", "init-master", "other.master"],
            &["keys", "generate"],
            &["import", "records.txt"],
            &["sign"],
            &["export", "--output", "signatures.jsonl"],
        ] {
            let output = under(umask, &sandbox, arguments).output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {output:#?}");
            check(&sandbox, umask);
        }
        // While it runs there are the write-ahead log, its index, and the lock of its node.
        let mut service = Running::start(under(umask, &sandbox, &["serve"]), sandbox.path("log"));
        until("it has registered", Duration::from_secs(20), || {
            service.log().contains("this process is node")
        });
        let seen = check(&sandbox, umask);
        assert!(seen >= 9, "{:?}", sandbox.files());
        service.signal(Signal::TERM);
        assert_eq!(service.wait(Duration::from_secs(20)), Some(0));
    }
}
