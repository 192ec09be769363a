//! The real openssl command, the third opinion of these tests.

use std::{path::Path, process::Command};

/// Runs `openssl` with the words of `arguments` in `folder` and gives what it printed. It must be installed.
pub fn openssl(folder: &Path, arguments: &str) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder).output();
    let output = output.expect("these tests need the openssl command");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}: {said}");
    output.stdout
}
