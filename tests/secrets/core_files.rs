//! A crash leaves no memory behind, and nobody looks into a running process.

use std::{
    fs,
    os::unix::{fs::MetadataExt, fs::PermissionsExt, process::ExitStatusExt},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use support::{process::copy_program, sandbox::Sandbox, waiting::until};

/// A program, about to run with core files of any size allowed, as somebody who is not root: root may
/// look into everything.
fn with_core_files(sandbox: &Sandbox, program: &str, arguments: &[&str]) -> Command {
    let script = "ulimit -c unlimited 2>/dev/null; exec \"$@\"";
    let mut command = if rustix::process::geteuid().is_root() {
        let raised = "ulimit -c unlimited; exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";
        sandbox.program("sh", &["-c", raised, "sh"])
    } else {
        sandbox.program("sh", &["-c", script, "sh"])
    };
    command.arg(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A folder that anybody may use, with the binary where anybody can run it.
fn folder() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let binary = sandbox.path("signwave");
    copy_program(env!("CARGO_BIN_EXE_signwave"), &binary);
    for (path, mode) in [(binary.as_path(), 0o755), (&sandbox.path(""), 0o777)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    (sandbox, binary.to_str().unwrap().to_owned())
}

fn core_files(sandbox: &Sandbox) -> Vec<String> {
    sandbox.files().into_iter().filter(|name| name.starts_with("core")).collect()
}

#[test]
fn a_crash_leaves_no_core_file_and_nobody_reads_the_memory() {
    // Not SIGQUIT, which is ignored by what a script has started in the background.
    for signal in [Signal::SEGV, Signal::ABORT, Signal::FPE] {
        let (sandbox, binary) = folder();
        let mut service = with_core_files(&sandbox, &binary, &["serve"]).spawn().unwrap();
        let pid = Pid::from_child(&service);
        let database = sandbox.path("signwave.db-wal");
        until("it serves", Duration::from_secs(20), || database.exists());

        let process = format!("/proc/{}", pid.as_raw_nonzero());
        let limits = fs::read_to_string(format!("{process}/limits")).unwrap();
        let limit = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(limit.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{limit}");
        // The kernel gives these files of a process that is not dumpable to root (proc(5)): then not
        // even its own user can read its memory or environment, and no core is piped to a collector.
        let owner = fs::metadata(format!("{process}/environ")).unwrap().uid();
        assert_eq!(owner, 0, "others of the same user may look into it");

        // Rust lets the first SIGSEGV pass, and expects the fault to come again.
        until("it ends", Duration::from_secs(20), || {
            kill_process(pid, signal).unwrap();
            service.try_wait().unwrap().is_some()
        });
        let status = service.wait().unwrap();
        assert_eq!((status.signal(), status.core_dumped()), (Some(signal.as_raw()), false));
        assert_eq!(core_files(&sandbox), [""; 0]);
    }
}

/// The test above is worth something only where other programs do leave core files, or may be looked into.
#[test]
fn another_program_can_be_looked_into_and_leaves_a_core_file() {
    let (sandbox, _) = folder();
    let mut sleep = with_core_files(&sandbox, "sleep", &["60"]).spawn().unwrap();
    let pid = Pid::from_child(&sleep);
    let process = format!("/proc/{}", pid.as_raw_nonzero());
    let name = || fs::read_to_string(format!("{process}/comm")).unwrap();
    until("it sleeps", Duration::from_secs(20), || name().trim() == "sleep");
    assert_ne!(fs::metadata(format!("{process}/environ")).unwrap().uid(), 0);
    kill_process(pid, Signal::SEGV).unwrap();
    let status = sleep.wait().unwrap();
    assert_eq!(status.signal(), Some(Signal::SEGV.as_raw()));
    // Where cores are files, and not forbidden by a limit of the machine, there is one.
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if !pattern.starts_with(['|', '/']) && status.core_dumped() {
        assert_eq!(core_files(&sandbox).len(), 1, "{:?}", sandbox.files());
    }
    println!("measured: core pattern {:?}, other programs dump: {}", pattern.trim(), status.core_dumped());
    assert!(Path::new(&process).parent().is_some());
}
