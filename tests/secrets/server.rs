//! A PostgreSQL server that logs every statement: neither its log nor its files hold a secret in the clear.

use std::time::Duration;

use data_encoding::BASE64;
use diesel::connection::SimpleConnection;
use rustix::process::Signal;
use support::{
    postgres::{Cluster, USER},
    process::Running,
    waiting::until,
};

use crate::{
    search::Secrets,
    watched::{Watched, files},
};

const KEY: &str = include_str!("../fixtures/signer/other2048.pem");
const PASSWORD: &str = "Bt5rYx8m.Qj1w-ZfN3kS";

#[test]
fn a_server_learns_no_secret_and_keeps_none() {
    let server = Cluster::start();
    let mut admin = server.admin("postgres");
    admin.batch_execute(&format!("ALTER ROLE {USER} PASSWORD '{PASSWORD}'")).unwrap();
    let settings = [
        "log_statement = 'all'",
        "log_connections = on",
        "log_parameter_max_length = -1",
        "log_duration = on",
    ];
    for setting in settings {
        admin.batch_execute(&format!("ALTER SYSTEM SET {setting}")).unwrap();
    }
    admin.batch_execute("SELECT pg_reload_conf()").unwrap();

    let master: [u8; 32] = std::array::from_fn(|i| (i as u8).wrapping_mul(101).wrapping_add(3));
    let master = BASE64.encode(&master);
    let secrets =
        Secrets::default().text("the password", PASSWORD).text("the master key", &master).key("the key", KEY);
    let mut watched = Watched::new(secrets);
    watched.give("key.pem", KEY);
    watched.sandbox.write("records.txt", "one\ntwo\nthree\n");
    let url = server.database("secrets");
    let (head, tail) = url.split_once('@').unwrap();
    let url = format!("{}:{PASSWORD}@{tail}", head.rsplit_once(':').unwrap().0);
    let with = |password| [("DATABASE_URL", password), ("SIGNWAVE_MASTER_KEY", master.as_str())];
    for command in [
        &["migrate"][..],
        &["keys", "import", "key.pem"],
        &["keys", "list", "--json"],
        &["import", "records.txt"],
        &["sign"],
        &["verify"],
        &["export", "--with-payload"],
        &["status"],
    ] {
        watched.ok(command, &with(&url));
    }
    // By libpq's own variable; and a wrong one.
    let bare = url.replace(&format!(":{PASSWORD}"), "");
    let environment = [("PGPASSWORD", PASSWORD)];
    watched.ok(&[&["status"][..], &["--database", &bare]].concat(), &environment);
    let (wrong, missing) =
        (url.replace(PASSWORD, &format!("{PASSWORD}{PASSWORD}")), format!("{url}_missing"));
    watched.fails(&["status"], &with(&wrong), "password authentication failed");
    watched.fails(&["sign"], &with(&missing), "does not exist");

    // A service, while it runs: its command line is open to everybody.
    let mut service = Running::start(watched.command(&["serve"], &with(&url)), watched.sandbox.path("log"));
    until("it serves", Duration::from_secs(20), || service.log().contains("this process is node"));
    watched.check(&std::fs::read(format!("/proc/{}/cmdline", service.id())).unwrap(), "the command line");
    service.signal(Signal::TERM);
    assert_eq!(service.wait(Duration::from_secs(20)), Some(0));
    watched.sweep();

    admin.batch_execute("CHECKPOINT").unwrap();
    let log = server.log();
    assert!(log.contains("SELECT"), "it logs statements");
    watched.check(log.as_bytes(), "the server's log");
    let mut bytes = 0;
    for file in files(&server.folder().join("data")).iter().filter(|file| !file.ends_with("postmaster.opts"))
    {
        // Files come and go while a server runs.
        let Ok(content) = std::fs::read(file) else { continue };
        // The write-ahead log still has the statement that set the password? It has its hash alone.
        watched.check(&content, &file.display().to_string());
        bytes += content.len();
    }
    println!("measured: {} MB of the server's files searched", bytes >> 20);
    assert!(bytes > 1 << 20);
}
