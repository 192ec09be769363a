//! A hot standby: a server that follows another one and can be read, not written.

use super::{Cluster, Guard};

impl Cluster {
    /// A server that follows this one. It has all of its users and databases.
    pub fn replica(&self) -> Self {
        let folder = self.programs.folder();
        let guard = Guard::of_server(&self.programs, &folder);
        let replica =
            Self { programs: self.programs.clone(), folder, port: 0, environment: Vec::new(), guard };
        let primary = format!("host={} port={} user=postgres", self.folder.display(), self.port);
        replica.run("pg_basebackup", |command| {
            command.args(["-D", "data", "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
            command.args(["-d", &primary])
        });
        replica.started_at_a_free_port()
    }
}
