//! A small process that outlives a test to clean up after it.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use super::programs::Programs;

/// Waits until its stdin is closed: by dropping this, or by the death of the test's process, be it by
/// a signal that nobody can catch. Then it runs a command and removes the folder.
pub struct Guard(Child);

/// The folder is `$1`, the command follows. Ctrl-C at a terminal is not meant for it.
const SCRIPT: &str = r#"trap '' INT TERM HUP; read -r _; folder=$1; shift; "$@"; cd /; rm -rf "$folder""#;

impl Guard {
    /// Stops the server whose data lie in `folder`.
    pub fn of_server(programs: &Programs, folder: &Path) -> Self {
        let pg_ctl = programs.path("pg_ctl");
        let stop = ["stop", "-D", "data", "-m", "immediate"].map(Into::into);
        Self::start(programs, folder, &[vec![pg_ctl.into_os_string()], stop.to_vec()].concat())
    }

    /// Kills the process whose id is in the file `pid` in `folder`.
    pub fn of_process(programs: &Programs, folder: &Path) -> Self {
        Self::start(programs, folder, &["sh", "-c", "kill -9 $(cat pid)"].map(Into::into))
    }

    /// Kills the processes of this user whose ids are in the files `*.pid` in `folder`.
    pub fn of_pid_files(folder: &Path) -> Self {
        let mut guard = guard(folder, &["sh", "-c", "kill -9 $(cat *.pid)"].map(Into::into));
        Self(guard.current_dir(folder).process_group(0).spawn().expect("sh is there"))
    }

    fn start(programs: &Programs, folder: &Path, command: &[std::ffi::OsString]) -> Self {
        Self(programs.as_user(guard(folder, command), folder).spawn().expect("sh is there"))
    }
}

fn guard(folder: &Path, command: &[std::ffi::OsString]) -> Command {
    let mut guard = Command::new("sh");
    guard.args(["-c", SCRIPT, "guard"]).arg(folder).args(command);
    guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    guard
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait(); // whatever became of it, there is nothing left to do
    }
}
