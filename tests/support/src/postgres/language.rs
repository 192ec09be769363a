//! A server that does not speak English.

use std::{fs::OpenOptions, io::Write, process::Command};

use super::{Cluster, Stop, programs::succeed};

impl Cluster {
    /// A server whose messages are in German, with lines for `postgresql.conf`.
    pub fn in_german(settings: &str) -> Self {
        let mut cluster = Self::start_with(settings);
        let locales = cluster.folder.join("locales");
        std::fs::create_dir(&locales).unwrap();
        cluster.programs.give(&locales);
        let mut make = cluster.programs.as_user(Command::new("localedef"), &cluster.folder);
        succeed(make.args(["-i", "de_DE", "-f", "UTF-8"]).arg(locales.join("de_DE.UTF-8")));
        cluster.stop(Stop::Fast);
        let mut file =
            OpenOptions::new().append(true).open(cluster.folder.join("data/postgresql.conf")).unwrap();
        writeln!(file, "lc_messages = 'de_DE.UTF-8'").unwrap();
        cluster.environment.push(("LOCPATH", locales));
        cluster.restart();
        cluster
    }

    /// Has it stop when its last session ends; until then it refuses new ones.
    pub fn stop_when_idle(&self) {
        self.run("pg_ctl", |command| command.args(["stop", "-W", "-s", "-D", "data", "-m", "smart"]));
    }
}
