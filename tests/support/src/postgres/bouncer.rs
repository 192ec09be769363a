//! pgbouncer between clients and a server, in the mode that has surprises: a connection to the server
//! belongs to a client for one transaction only.

use std::{net::TcpStream, path::PathBuf, process::Command, time::Duration};

use crate::waiting::until;

use super::{Cluster, Guard, PASSWORD, USER, programs, url_at};

/// A running pgbouncer; it ends when dropped, or with this process.
pub struct Bouncer {
    folder: PathBuf,
    port: u16,
    #[expect(dead_code, reason = "dropping it ends the process")]
    guard: Guard,
}

impl Cluster {
    /// A pgbouncer in transaction mode, with `pool` connections to each database.
    pub fn bouncer(&self, pool: u32) -> Bouncer {
        self.bouncer_by("transaction", pool)
    }

    /// A pgbouncer that gives a connection away by the `session` or the `transaction`.
    pub fn bouncer_by(&self, mode: &str, pool: u32) -> Bouncer {
        let folder = self.programs.folder();
        let port = programs::free_port();
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = users\npool_mode = {mode}\n\
             default_pool_size = {pool}\nmax_client_conn = 200\nlogfile = log\npidfile = pid\n",
            self.port
        );
        std::fs::write(folder.join("settings"), settings).unwrap();
        std::fs::write(folder.join("users"), format!("\"{USER}\" \"{PASSWORD}\"\n")).unwrap();
        for file in ["settings", "users"] {
            self.programs.give(&folder.join(file));
        }
        let guard = Guard::of_process(&self.programs, &folder);
        let mut command = self.programs.as_user(Command::new(program()), &folder);
        programs::succeed(command.args(["--daemon", "--quiet", "settings"]));
        let bouncer = Bouncer { folder, port, guard };
        until("pgbouncer answers", Duration::from_secs(10), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        bouncer
    }
}

impl Bouncer {
    /// Where a user finds a database of the server behind it.
    pub fn url(&self, user: &str, database: &str) -> String {
        url_at(self.port, user, database)
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

/// Debian keeps it where the PATH of an ordinary user does not look.
fn program() -> PathBuf {
    let debian = PathBuf::from("/usr/sbin/pgbouncer");
    if debian.exists() { debian } else { "pgbouncer".into() }
}
