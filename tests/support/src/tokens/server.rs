//! `p11-kit server`: a process between a token and its users, which can be killed like the daemon of a device.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::Token;

/// A server of one token, killed when dropped.
pub struct Server {
    /// How the token is reached through it.
    pub token: Token,
    behind: Token,
    socket: PathBuf,
    process: Child,
}

impl Server {
    /// Starts one for `token` with its socket in `folder`.
    pub fn start(token: &Token, folder: &Path) -> Self {
        let socket = folder.join("p11-kit.socket");
        let address = format!("unix:path={}", socket.display());
        let environment = vec![("P11_KIT_SERVER_ADDRESS", address)];
        let through = Token { module: client(), environment, ..token.clone() };
        let process = serve(token, &socket);
        Self { token: through, behind: token.clone(), socket, process }
    }

    /// It is gone, with the process that it has for each user, and its socket leads nowhere.
    pub fn kill(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.process), Signal::KILL); // it may have ended
        self.process.wait().unwrap();
    }

    /// It stands still, and everybody who waits for it, too.
    pub fn pause(&self) {
        kill_process_group(Pid::from_child(&self.process), Signal::STOP).unwrap();
    }

    /// It goes on after [`pause`](Self::pause).
    pub fn resume(&self) {
        kill_process_group(Pid::from_child(&self.process), Signal::CONT).unwrap();
    }

    /// Starts another one at the same socket, after [`kill`](Self::kill).
    pub fn restart(&mut self) {
        std::fs::remove_file(&self.socket).unwrap();
        self.process = serve(&self.behind, &self.socket);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns when the server has its socket.
fn serve(token: &Token, socket: &Path) -> Child {
    let mut command = Command::new("p11-kit");
    command.args(["server", "--foreground", "--name"]).arg(socket);
    command.arg("--provider").arg(&token.module).arg(format!("pkcs11:token={}", token.label));
    command.envs(token.environment.iter().map(|(name, value)| (name, value)));
    let mut process = command
        .process_group(0)
        .stdout(Stdio::piped())
        .spawn()
        .expect("these tests need the p11-kit command");
    let mut line = String::new();
    BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("P11_KIT_SERVER_ADDRESS"), "{line}");
    process
}

/// Where the distributions have the module that asks such a server.
fn client() -> PathBuf {
    let architecture = format!("/usr/lib/{}-linux-gnu/pkcs11", std::env::consts::ARCH);
    let folders = [&architecture, "/usr/lib64/pkcs11", "/usr/lib/pkcs11"];
    let paths = folders.map(|folder| Path::new(folder).join("p11-kit-client.so"));
    paths.into_iter().find(|path| path.exists()).expect("these tests need p11-kit: scripts/install-tools")
}
