//! Running the binary under test.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::waiting::until;

/// The binary that cargo built together with the test program, in the folder above it.
pub fn built() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let binary = program.ancestors().nth(2).unwrap().join("signwave");
    assert!(binary.exists(), "'{}' is missing: run tests by cargo", binary.display());
    binary
}

/// The release binary where `scripts/test` built one, otherwise [`built`].
pub fn binary() -> PathBuf {
    std::env::var_os("TEST_BINARY").map_or_else(built, Into::into)
}

/// A file that `scripts/install-tools` has brought.
pub fn tool(name: &str) -> String {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let path = crate::root().join(target).join("tools").join(name);
    assert!(path.exists(), "'{}' is missing: run scripts/install-tools first", path.display());
    path.into_os_string().into_string().unwrap()
}

/// Copies a program to a place where it is run. Another process does it: as long as a child that was forked at that time has
/// the copy open for writing, as this process had it, it cannot be executed.
pub fn copy_program(from: impl AsRef<Path>, to: &Path) {
    let mut copy = Command::new("cp");
    copy.arg(from.as_ref()).arg(to);
    succeed(copy);
}

/// The binary with arguments, to be run in `folder`.
pub fn command(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs to the end, which must be a good one.
pub fn succeed(mut command: Command) -> Output {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{stderr}", output.status);
    output
}

/// How many lines of its log are shown if a test fails beside it.
const SHOWN: usize = 40;

/// A process at work; it is killed when dropped.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts a process that prints and logs to a file.
    pub fn start(mut command: Command, log: PathBuf) -> Self {
        let file = std::fs::File::create(&log).unwrap();
        let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        Self { child, log }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Stops it. Each of its threads stands still when this returns: one that is in a system call when the signal is
    /// sent would otherwise still see what the test does next.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        let threads = format!("/proc/{}/task", self.id());
        until("every thread stands still", Duration::from_secs(20), || {
            std::fs::read_dir(&threads).unwrap().all(|thread| state_of(&thread.unwrap().path()) == Some('T'))
        });
    }

    /// Its exit code, which must come within `limit` as [`until`] takes it; `None` when a signal ended it.
    pub fn wait(&mut self, limit: Duration) -> Option<i32> {
        until("the process ends", limit, || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap().code()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// How many of its sockets are connected to a TCP client.
    pub fn open_sockets(&self) -> usize {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.id())).unwrap();
        let targets = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        let sockets: Vec<_> = targets.map(|target| target.to_string_lossy().into_owned()).collect();
        let table = read(Path::new("/proc/net/tcp"));
        let connected = table.lines().filter_map(|line| {
            let columns: Vec<_> = line.split_whitespace().collect();
            (columns.get(3) == Some(&"01")).then(|| format!("socket:[{}]", columns[9]))
        });
        connected.filter(|socket| sockets.contains(socket)).count()
    }

    pub fn log(&self) -> String {
        read(&self.log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            println!("the end of {}:", self.log.display());
            lines[lines.len().saturating_sub(SHOWN)..].iter().for_each(|line| println!("  {line}"));
        }
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// The letter of a thread's state: it stands behind the name of the thread, which is in parentheses.
fn state_of(thread: &Path) -> Option<char> {
    read(&thread.join("stat")).rsplit_once(") ")?.1.chars().next()
}
