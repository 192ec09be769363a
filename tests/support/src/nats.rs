//! A NATS server of the tests' own: started from the installed program in a temporary folder, at a port of 127.0.0.1 alone,
//! and gone with the process that wanted it, however that ends.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{
    certificates,
    postgres::{Guard, free_port},
    waiting::until,
};

/// Debian's program, which is not in the PATH of an ordinary user. `TEST_NATS_SERVER` names another one.
const PROGRAM: &str = "/usr/sbin/nats-server";

/// The user and its password.
pub const USER: &str = "signwave";
pub const PASSWORD: &str = "never-in-a-log";

const SOON: Duration = Duration::from_secs(60);

pub struct Server {
    folder: TempDir,
    port: u16,
    process: Mutex<Option<Child>>,
    #[expect(dead_code, reason = "dropping it ends what is left")]
    guard: Guard,
}

impl Server {
    /// A server with one user and no stream.
    pub fn start() -> Self {
        Self::with(&format!("authorization {{ user: {USER}, password: {PASSWORD} }}\n"))
    }

    /// The same, which speaks nothing but TLS, with a certificate for `localhost`.
    pub fn start_with_tls() -> Self {
        Self::with(&format!(
            "authorization {{ user: {USER}, password: {PASSWORD} }}\n\
             tls {{ cert_file: \"server.pem\", key_file: \"server.key\" }}\n"
        ))
    }

    /// A server with these lines of configuration.
    pub fn with(settings: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("nats-").tempdir().unwrap();
        if settings.contains("server.pem") {
            certificates::for_localhost(folder.path());
        }
        let port = free_port();
        let place = format!("listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"data\" }}\n");
        fs::write(folder.path().join("nats.conf"), place + settings).unwrap();
        let guard = Guard::of_pid_files(folder.path());
        let server = Self { folder, port, process: Mutex::new(None), guard };
        server.restart();
        server
    }

    /// Starts it, after [`Server::kill`].
    pub fn restart(&self) {
        let installed = if Path::new(PROGRAM).exists() { PROGRAM } else { "nats-server" };
        let program = std::env::var_os("TEST_NATS_SERVER").unwrap_or_else(|| installed.into());
        let file = fs::File::create(self.folder.path().join("log")).unwrap();
        let mut command = Command::new(program);
        command.args(["--config", "nats.conf"]).current_dir(self.folder.path()).stdin(Stdio::null());
        let process = command.stdout(file.try_clone().unwrap()).stderr(file).spawn();
        let process = process.expect("NATS is there: run scripts/install-tools first");
        fs::write(self.folder.path().join("server.pid"), format!("{}\n", process.id())).unwrap();
        *self.process.lock().unwrap() = Some(process);
        until("NATS has started", SOON, || self.log().contains("Server is ready"));
    }

    /// Kills it at once: what it has not written is lost, except for what the operating system keeps.
    pub fn kill(&self) {
        if let Some(mut process) = self.process.lock().unwrap().take() {
            kill_process(Pid::from_child(&process), Signal::KILL).unwrap();
            process.wait().unwrap();
            fs::remove_file(self.folder.path().join("server.pid")).unwrap(); // another process may get the id
        }
    }

    /// Lets it stand still, with all its connections open.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.lock().unwrap();
        kill_process(Pid::from_child(process.as_ref().unwrap()), signal).unwrap();
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("nats://{USER}:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    /// Where a stream is, for `--intake` and `--publish`. `options` begin with `&`.
    pub fn stream(&self, stream: &str, options: &str) -> String {
        self.stream_at(self.port, stream, options)
    }

    /// The same behind a proxy.
    pub fn stream_at(&self, port: u16, stream: &str, options: &str) -> String {
        format!("nats://{USER}:{PASSWORD}@127.0.0.1:{port}?stream={stream}{options}")
    }

    /// The same with TLS, by a host name that its certificate has.
    pub fn stream_over_tls(&self, stream: &str, options: &str) -> String {
        format!("tls://{USER}:{PASSWORD}@localhost:{}?stream={stream}{options}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder where it keeps its streams.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The certificate of the authority that vouches for its own.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// All that it has logged since its last start.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join("log")).unwrap_or_default()).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
