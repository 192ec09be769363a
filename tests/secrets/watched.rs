//! A sandbox in which everything that is said and written is searched.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use rustix::process::Signal;
use support::{process::Running, sandbox::Sandbox, waiting::until};

use crate::search::Secrets;

pub struct Watched {
    pub sandbox: Sandbox,
    secrets: Secrets,
    /// Files that a person wrote secrets into.
    given: HashSet<PathBuf>,
    pub runs: usize,
}

impl Watched {
    pub fn new(secrets: Secrets) -> Self {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.path("tmp")).unwrap();
        Self { sandbox, secrets, given: HashSet::new(), runs: 0 }
    }

    /// Looks for these secrets from now on, for those that a command has made.
    pub fn looks_for(&mut self, secrets: Secrets) {
        self.secrets = secrets;
    }

    /// Writes a file that only its owner can read, and that may hold secrets.
    pub fn give(&mut self, name: &str, content: impl AsRef<[u8]>) {
        use std::os::unix::fs::PermissionsExt;
        self.sandbox.write(name, content);
        fs::set_permissions(self.sandbox.path(name), fs::Permissions::from_mode(0o600)).unwrap();
        self.given.insert(self.sandbox.path(name));
    }

    /// A file that the program has made to hold a secret.
    pub fn is_given(&mut self, name: &str) {
        self.given.insert(self.sandbox.path(name));
    }

    /// The binary, about to say all that it ever says.
    pub fn command(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
        // With -v a log line of every level, and the causes of errors.
        let format = if self.runs.is_multiple_of(2) { "text" } else { "json" };
        let mut command = self.sandbox.command(&[&["-vvv", "--log-format", format], arguments].concat());
        command
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .env("TMPDIR", self.sandbox.path("tmp"));
        command.envs(environment.iter().copied());
        command
    }

    /// Runs it, and searches what it said. It may succeed or fail.
    #[track_caller]
    pub fn run(&mut self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let output = self.command(arguments, environment).output().unwrap();
        self.search(&output, arguments, environment);
        assert!(matches!(output.status.code(), Some(0..=2)), "{arguments:?}: {output:#?}");
        output
    }

    #[track_caller]
    fn search(&mut self, output: &Output, arguments: &[&str], environment: &[(&str, &str)]) {
        self.runs += 1;
        self.check(&output.stdout, &format!("stdout of {arguments:?} with {environment:?}"));
        self.check(&output.stderr, &format!("stderr of {arguments:?} with {environment:?}"));
    }

    /// Runs what does not end by itself until it has said why, and searches all that it said.
    #[track_caller]
    pub fn waits(&mut self, arguments: &[&str], environment: &[(&str, &str)], because: &str) {
        let log = self.sandbox.path(&format!("waits-{}.log", self.runs));
        let mut process = Running::start(self.command(arguments, environment), log);
        until(because, Duration::from_secs(20), || process.log().contains(because));
        process.signal(Signal::TERM);
        process.wait(Duration::from_secs(20));
        self.runs += 1;
        self.check(process.log().as_bytes(), &format!("what {arguments:?} said with {environment:?}"));
    }

    #[track_caller]
    pub fn ok(&mut self, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        let output = self.run(arguments, environment);
        assert!(output.status.success(), "{arguments:?} with {environment:?}: {output:#?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub fn fails(&mut self, arguments: &[&str], environment: &[(&str, &str)], because: &str) {
        let output = self.run(arguments, environment);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(because), "{because}: {output:#?}");
    }

    #[track_caller]
    pub fn check(&self, place: &[u8], name: &str) {
        if let Some(found) = self.secrets.find(place) {
            panic!("in {name}: {found}");
        }
    }

    /// Searches every file that no person wrote: the database with its log, locks, exports, drafts that
    /// stayed behind.
    #[track_caller]
    pub fn sweep(&self) {
        let files = files(&self.sandbox.path(""));
        assert!(!files.is_empty());
        for file in files.iter().filter(|file| !self.given.contains(*file)) {
            self.check(&fs::read(file).unwrap(), &file.display().to_string());
        }
        println!("measured: {} commands, {} files searched", self.runs, files.len());
    }
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
