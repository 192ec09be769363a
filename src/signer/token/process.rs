//! The process that loads a token's module: its start, its end, and what its module prints.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::protocol::TOKEN_HOST;

/// A process that holds a token. It ends when its standard input is closed, so that it cannot outlive this process.
#[derive(Debug)]
pub(super) struct Process(Mutex<Child>);

/// The pipes to a process.
pub(super) struct Pipes {
    pub(super) requests: ChildStdin,
    pub(super) answers: ChildStdout,
}

impl Process {
    /// Starts `program`, which is this program, to hold the token of a custodian. The environment is `env` alone. The
    /// process has a separate group, because Ctrl-C in a terminal must not end it before the service has stopped.
    pub(super) fn start(
        custodian: &str,
        program: &Path,
        env: &BTreeMap<String, String>,
    ) -> io::Result<(Self, Pipes)> {
        let mut child = Command::new(program)
            .arg0("signwave")
            .arg(TOKEN_HOST)
            .env_clear()
            .envs(env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take()).zip(child.stderr.take());
        let process = Self(Mutex::new(child));
        let started = pipes.ok_or_else(|| io::Error::other("it has no pipes")).and_then(
            |((requests, answers), printed)| {
                let custodian = custodian.to_owned();
                thread::Builder::new()
                    .name("token-log".into())
                    .spawn(move || log_lines(&custodian, printed))?;
                Ok(Pipes { requests, answers })
            },
        );
        match started {
            Ok(pipes) => Ok((process, pipes)),
            Err(error) => {
                process.end();
                Err(error)
            }
        }
    }

    /// Kills the process, if it runs, and waits for its end. Says how it ended.
    pub(super) fn end(&self) -> String {
        let mut child = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Killing fails only if the process has ended, waiting only if something else waited for it.
        let _ = child.kill();
        child.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
    }

    /// Whether the process ends by itself within `limit`.
    pub(super) fn ends_within(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            let mut child = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match child.try_wait() {
                Ok(None) if Instant::now() < deadline => {}
                Ok(None) => return false,
                Ok(Some(_)) | Err(_) => return true,
            }
            drop(child);
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Lines of a module that are logged in each [`PERIOD`].
const LINES_IN_A_PERIOD: usize = 20;

const PERIOD: Duration = Duration::from_secs(60);

/// Bytes of a line. What is longer goes into the next line.
const LONGEST_LINE: u64 = 400;

/// Logs what the process prints to standard error, until it is closed. A library can print as much as it likes, and
/// anything, so the lines are counted, cut and made printable.
fn log_lines(custodian: &str, printed: ChildStderr) {
    let (mut printed, mut begun, mut lines) = (BufReader::new(printed), Instant::now(), 0);
    let mut line = Vec::new();
    while printed.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        if begun.elapsed() > PERIOD {
            (begun, lines) = (Instant::now(), 0);
        }
        lines += 1;
        let text = String::from_utf8_lossy(line.trim_ascii());
        if lines <= LINES_IN_A_PERIOD && !text.is_empty() {
            log::warn!("custodian '{custodian}': its process printed: {}", text.escape_debug());
        } else if lines == LINES_IN_A_PERIOD + 1 {
            log::warn!("custodian '{custodian}': its process prints more, which is not shown");
        }
        line.clear();
    }
}
