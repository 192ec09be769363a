//! Running the binary under test, and waiting for what it does.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::allow_attributes, dead_code, reason = "each test program uses a part of this")]

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// The release binary where `scripts/test` built one, otherwise the one that cargo built for us.
fn binary() -> PathBuf {
    std::env::var_os("TEST_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_signwave").into(), Into::into)
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

/// How often a test does what it does: `usual`, unless the variable says otherwise. Printed on a line of
/// its own, so that `scripts/torture` sees that it was taken.
pub fn count(variable: &str, usual: usize) -> usize {
    let count = std::env::var(variable).map_or(usual, |count| count.parse().expect("a count is a number"));
    println!("{variable}={count}");
    count
}

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

    /// Its exit code, which must come within `limit`; `None` when a signal ended it.
    pub fn wait(&mut self, limit: Duration) -> Option<i32> {
        let deadline = Instant::now() + limit;
        until("the process ends", limit, || self.child.try_wait().unwrap().is_some());
        assert!(Instant::now() <= deadline);
        self.child.wait().unwrap().code()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn log(&self) -> String {
        read(&self.log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// Polls until `condition` holds; `what` is named when it does not within `limit`.
pub fn until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// `TEST_SEED`, or another each time; printed.
pub fn seed() -> u64 {
    let fresh = || u64::from(std::process::id()) << 32 | u64::from(Instant::now().elapsed().subsec_nanos());
    let seed = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(fresh);
    println!("TEST_SEED={seed}");
    seed
}

/// Pseudo-random numbers (splitmix64), so that a printed seed replays a test.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Seeded by `TEST_SEED`, or anew; printed.
    pub fn new() -> Self {
        Self(seed())
    }

    /// Numbers of this seed.
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// Numbers for another thread, seeded by these.
    pub fn another(&mut self) -> Self {
        Self(self.below(u64::MAX))
    }

    /// From 0 to `below`, exclusively.
    pub fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}
