//! Processes that hold a token as a shell script says, for tests.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::TokenSettings;

/// What a process answers that opens its token with two sessions.
pub(super) const OPENED: &str = r#"
read -r start
echo '{"id":1,"answer":"logging-in"}'
echo '{"id":1,"answer":"logged-in"}'
echo '{"id":1,"answer":{"opened":2}}'
echo '{"id":1,"answer":"done"}'
"#;

/// Longer than a busy machine takes to start a shell.
pub(super) const TIMEOUT: Duration = Duration::from_secs(4);

/// A folder with a program.
pub(super) struct Scripted(TempDir);

impl Scripted {
    /// A program with these lines. Another process writes it, because a file that any process here has open for writing
    /// cannot be executed.
    pub(super) fn new(lines: &str) -> Self {
        let scripted = Self(TempDir::new().unwrap());
        let write = format!("cat > '{0}' && chmod 700 '{0}'", scripted.program().display());
        let mut shell = Command::new("sh").args(["-c", &write]).stdin(Stdio::piped()).spawn().unwrap();
        let starts = scripted.0.path().join("starts");
        let text = format!("#!/bin/sh\necho $$ >> '{}'\n{lines}", starts.display());
        shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success());
        scripted
    }

    pub(super) fn program(&self) -> PathBuf {
        self.0.path().join("program")
    }

    /// The processes that were started, in their order.
    pub(super) fn starts(&self) -> Vec<u32> {
        let starts = fs::read_to_string(self.0.path().join("starts")).unwrap_or_default();
        starts.lines().map(|line| line.parse().unwrap()).collect()
    }

    /// Whether all of them are gone without a trace, which means that they were waited for.
    pub(super) fn is_gone(&self) -> bool {
        self.starts().iter().all(|process| !fs::exists(format!("/proc/{process}")).unwrap())
    }
}

pub(super) fn settings() -> TokenSettings {
    TokenSettings {
        module: "/nowhere.so".into(),
        label: Some("a".into()),
        serial: None,
        pin_file: "/nowhere".into(),
        sessions: 2,
        timeout: TIMEOUT,
        env: BTreeMap::new(),
    }
}
