//! The binary under strace, which writes its system calls down, or makes one fail.

use std::{path::Path, process::Command};

/// `command` under strace, with all its threads and children, and the folder that it runs in.
///
/// The service lets no other process of its user look into its memory, strace included: whoever may
/// is root, be it of a user namespace. Should the test end, strace dies, and with it `command`.
pub fn under(command: &Command, trace: &Path, options: &[String]) -> Command {
    let is_root = rustix::process::geteuid().is_root();
    let mut traced = Command::new(if is_root { "env" } else { "unshare" });
    traced.args(if is_root { &[][..] } else { &["-r"] });
    traced.args(["strace", "-f", "-o"]).arg(trace).args(options);
    traced.args(["setpriv", "--pdeathsig", "KILL"]).arg(command.get_program()).args(command.get_args());
    traced.current_dir(command.get_current_dir().expect("a test runs in a folder of its own"));
    traced
}

/// The names of the calls in a trace with their threads, in the order in which they began.
pub fn calls(trace: &str) -> impl Iterator<Item = (&str, &str)> {
    trace.lines().filter_map(|line| {
        let (thread, rest) = line.split_once(' ')?;
        let name = rest.trim_start().split_once('(')?.0;
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some((thread, name))
    })
}
