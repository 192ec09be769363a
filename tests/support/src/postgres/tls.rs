//! A server that speaks TLS, with a certificate of the tests' own authority.

use std::{path::PathBuf, process::Command};

use diesel::connection::SimpleConnection;

use super::{Cluster, USER, programs::succeed};

impl Cluster {
    /// A server whose certificate, signed by an authority of its own, is for the host `name`.
    pub fn with_certificate_for(name: &str) -> Self {
        let cluster = Self::start();
        let authority = "req -x509 -newkey rsa:2048 -nodes -keyout authority.key -out authority.pem -days 2 \
                         -subj /CN=authority";
        cluster.openssl(authority);
        cluster.openssl(&format!(
            "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN={name}"
        ));
        let names = cluster.folder.join("names");
        std::fs::write(&names, format!("subjectAltName=DNS:{name}\n")).unwrap();
        cluster.programs.give(&names);
        cluster.openssl(
            "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 \
             -extfile names -out server.pem",
        );
        let mut admin = cluster.admin("postgres");
        for (setting, file) in [("ssl_cert_file", "server.pem"), ("ssl_key_file", "server.key")] {
            let path = cluster.folder.join(file);
            admin.batch_execute(&format!("ALTER SYSTEM SET {setting} = '{}'", path.display())).unwrap();
        }
        admin.batch_execute("ALTER SYSTEM SET ssl = on").unwrap();
        drop(admin);
        cluster.stop(super::Stop::Fast);
        cluster.restart();
        cluster
    }

    /// The certificate of the authority, for `sslrootcert`.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    /// Where a database is found under the name `localhost`, when `authority` vouches for that name.
    pub fn verified_url(&self, database: &str, authority: &std::path::Path) -> String {
        let url = self.url(USER, database).replace("127.0.0.1", "localhost");
        format!("{url}?sslmode=verify-full&sslrootcert={}", authority.display())
    }

    fn openssl(&self, arguments: &str) {
        let mut command = self.programs.as_user(Command::new("openssl"), &self.folder);
        succeed(command.args(arguments.split_whitespace()));
    }
}
