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

/// Makes a key and a certificate for a server at 127.0.0.1 with this name: `tls.key` and `tls.pem` in `folder`.
pub fn server_certificate(folder: &Path, name: &str) {
    let request = format!("req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN={name}");
    openssl(folder, &format!("{request} -addext subjectAltName=IP:127.0.0.1 -keyout tls.key -out tls.pem"));
}

/// The arguments of `serve` that name these files.
pub const TLS: [&str; 4] = ["--tls-certificate", "tls.pem", "--tls-key", "tls.key"];
