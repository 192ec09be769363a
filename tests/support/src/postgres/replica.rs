//! A hot standby: a server that follows another one and can be read, not written, until it is promoted. And copies of a
//! server's files, which are put back.

use std::{process::Command, time::Duration};

use diesel::{RunQueryDsl, connection::SimpleConnection, sql_query};

use super::{Cluster, Guard, Number, Stop};
use crate::waiting::until;

impl Cluster {
    /// A server that follows this one. It has all of its users and databases.
    pub fn replica(&self) -> Self {
        let folder = self.programs.folder();
        let guard = Guard::of_server(&self.programs, &folder);
        let replica =
            Self { programs: self.programs.clone(), folder, port: 0, environment: Vec::new(), guard };
        self.base_backup(&replica, "data", &["--write-recovery-conf"]);
        // Otherwise its start would sync each file of each database that there is, which takes a busy disk minutes.
        let file = replica.folder.join("data/postgresql.conf");
        let settings = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, settings + "fsync = off\n").unwrap();
        replica.started_at_a_free_port()
    }

    /// Cuts a standby off from the server that it follows: what that one does from now on never arrives.
    pub fn cut_off(&self) {
        let mut admin = self.admin("postgres");
        admin.batch_execute("ALTER SYSTEM SET primary_conninfo = ''").unwrap();
        admin.batch_execute("SELECT pg_reload_conf()").unwrap();
        until("the standby receives nothing", Duration::from_secs(20), || {
            let receivers = sql_query("SELECT count(*) AS number FROM pg_stat_wal_receiver");
            receivers.get_result::<Number>(&mut admin).unwrap().number == 0
        });
    }

    /// Makes a standby the primary; returns when it can be written.
    pub fn promote(&self) {
        self.admin("postgres").batch_execute("SELECT pg_promote()").unwrap();
    }

    /// Keeps a copy of all files as they are now, under a name.
    pub fn keep(&self, name: &str) {
        self.base_backup(self, name, &[]);
    }

    /// Stops this server, and starts it with a copy that was kept.
    pub fn put_back(&self, name: &str) {
        self.stop(Stop::Immediate);
        std::fs::remove_dir_all(self.folder.join("data")).unwrap();
        let mut copy = Command::new("cp");
        copy.args(["-a", name, "data"]);
        super::succeed(&mut self.programs.as_user(copy, &self.folder));
        self.restart();
    }

    fn base_backup(&self, into: &Self, name: &str, options: &[&str]) {
        let primary = format!("host={} port={} user=postgres", self.folder.display(), self.port);
        into.run("pg_basebackup", |command| {
            command.args(["-D", name, "--checkpoint=fast", "--no-sync", "-d", &primary]).args(options)
        });
    }
}
