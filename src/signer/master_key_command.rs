//! A command that prints the master key: how it is written, run and bounded.

use std::{
    fmt, io,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    str::FromStr,
    sync::mpsc::channel,
    thread::{self, sleep},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{MasterKey, SignerError};

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How often to look whether it has ended, after its output has.
const LOOK: Duration = Duration::from_millis(5);

/// A command whose standard output is the master key. `Debug` shows the program only, because arguments may hold
/// secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKeyCommand {
    program: String,
    arguments: Vec<String>,
}

/// A text that is no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownCommand(&'static str);

impl MasterKeyCommand {
    /// A command of a program and its arguments.
    ///
    /// # Errors
    /// When there is no word.
    pub fn of(words: impl IntoIterator<Item = String>) -> Result<Self, UnknownCommand> {
        let mut words = words.into_iter();
        let program = words.next().filter(|program| !program.is_empty());
        let program = program.ok_or(UnknownCommand("the command is empty: name a program"))?;
        Ok(Self { program, arguments: words.collect() })
    }

    /// Runs the command without a shell, and reads the master key from its standard output. Standard error is that of
    /// this process, so that operators see what went wrong. The command has no standard input.
    ///
    /// # Errors
    /// When it cannot be run, fails, takes more than 30 s, or prints something else. The errors show nothing of
    /// what it printed, and no arguments.
    pub fn run(&self) -> Result<MasterKey, SignerError> {
        self.run_for(LIMIT)
    }

    fn run_for(&self, limit: Duration) -> Result<MasterKey, SignerError> {
        let not_run = |error: io::Error| SignerError::MasterKeyCommandRun {
            program: self.program.clone(),
            reason: error.to_string(),
        };
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0) // so that its children can be killed with it
            .spawn()
            .map_err(not_run)?;
        let deadline = Instant::now() + limit;
        let (send, printed) = channel();
        if let Some(output) = child.stdout.take() {
            // It reads no more than a key needs. A command that prints on gets SIGPIPE.
            let read = move || _ = send.send(MasterKey::read_from(output));
            let started = thread::Builder::new().spawn(read);
            if let Err(error) = started {
                kill(&mut child);
                return Err(not_run(error));
            }
        }
        let printed = printed.recv_timeout(limit);
        let status = printed.is_ok().then(|| wait(&mut child, deadline)).transpose();
        let program = self.program.clone();
        match (printed, status.map_err(not_run)?.flatten()) {
            (Ok(Ok(master)), Some(status)) if status.success() => master.map_err(|error| match error {
                SignerError::MalformedMasterKey(reason) => {
                    SignerError::MasterKeyCommandOutput { program, reason }
                }
                error => error,
            }),
            (Ok(Err(error)), Some(status)) if status.success() => Err(not_run(error)),
            (_, Some(status)) => Err(SignerError::MasterKeyCommandFailed { program, status }),
            (_, None) => {
                kill(&mut child);
                Err(SignerError::MasterKeyCommandTime { program, limit })
            }
        }
    }
}

/// How the command ended; `None` if it runs on after the deadline.
fn wait(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    loop {
        let status = child.try_wait()?;
        if status.is_some() || Instant::now() >= deadline {
            return Ok(status);
        }
        sleep(LOOK);
    }
}

/// Kills the command with its children, and waits for it. It has not been waited for, so its id is still its own.
fn kill(child: &mut Child) {
    // Both fail only if the command has ended.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    let _ = child.wait();
}

impl FromStr for MasterKeyCommand {
    type Err = UnknownCommand;

    /// Splits the text into words as a shell does, without expanding anything.
    fn from_str(text: &str) -> Result<Self, UnknownCommand> {
        let words = shlex::split(text).ok_or(UnknownCommand("a quote in the command is not closed"))?;
        Self::of(words)
    }
}

impl fmt::Debug for MasterKeyCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKeyCommand({:?}, ..)", self.program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "q7+/q7+/q7+/q7+/q7+/q7+/q7+/q7+/q7+/q7+/q78=";

    fn run(command: &str) -> Result<MasterKey, SignerError> {
        command.parse::<MasterKeyCommand>().unwrap().run()
    }

    #[test]
    fn a_command_is_split_as_a_shell_splits_it_and_nothing_is_expanded() {
        let words = |text: &str| text.parse::<MasterKeyCommand>().map(|it| (it.program, it.arguments));
        let expected = ["--a", "b c", "$HOME", "", "*"].map(str::to_owned).to_vec();
        assert_eq!(words(r#"tool --a 'b c' "$HOME" '' *"#), Ok(("tool".to_owned(), expected)));
        for text in ["", "  ", "''", "tool 'open", "tool \\"] {
            assert!(words(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_a_command_prints_is_the_master_key() {
        let master = MasterKey::from_base64(KEY).unwrap();
        for command in
            [format!("echo {KEY}"), format!("printf {KEY}"), format!("sh -c 'echo {KEY}; exec 1>&-'")]
        {
            assert_eq!(run(&command).unwrap().id(), master.id(), "{command}");
        }
    }

    #[test]
    fn a_command_that_fails_or_prints_something_else_is_named_without_its_arguments() {
        for (command, expected) in [
            ("/nowhere/tool S3CRET", "the master key command '/nowhere/tool' could not be run: No such file"),
            ("sh -c 'echo S3CRET; exit 3'", "the master key command 'sh' failed (exit status: 3): see what"),
            (
                "sh -c 'kill -9 $$' S3CRET",
                "the master key command 'sh' failed (signal: 9 (SIGKILL)): see what",
            ),
            ("true S3CRET", "the master key command 'true' did not print 32 bytes in base64: it is empty"),
            (
                "echo S3CRET",
                "the master key command 'echo' did not print 32 bytes in base64: its format is unknown",
            ),
            ("yes S3CRET", "the master key command 'yes' failed (signal: 13 (SIGPIPE)): see what"),
        ] {
            let error = run(command).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with(expected), "{text}");
            assert!(!format!("{text} {error:?}").contains("S3CRET"), "{text}");
        }
    }

    #[test]
    fn a_command_that_hangs_is_killed_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        // The child holds the output open. The second command closes it, and runs on.
        for rest in ["wait", "exec 1>&-; wait"] {
            let script = format!("sleep 60 & echo $! > {}; {rest}", file.display());
            let command = MasterKeyCommand::of(["sh".to_owned(), "-c".to_owned(), script]).unwrap();
            let limit = Duration::from_secs(3);
            let error = command.run_for(limit).unwrap_err();
            assert_eq!(error, SignerError::MasterKeyCommandTime { program: "sh".to_owned(), limit });
            let child: i32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
            let state = || std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            let has_ended = || state().is_empty() || state().contains(") Z ");
            let deadline = Instant::now() + Duration::from_secs(60);
            while !has_ended() && Instant::now() < deadline {
                thread::yield_now();
            }
            assert!(has_ended(), "{}", state());
        }
    }
}
