//! Servers that start, crash, follow, encrypt and pool, and go away.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use diesel::{Connection, PgConnection, connection::SimpleConnection};
use support::{
    postgres::{self, Cluster, Stop, USER, database_of},
    waiting::{lasting, until},
};

use crate::{ask, connect, refusal};

#[test]
fn each_test_has_a_database_of_its_own_on_a_durable_server() {
    let (one, other) = (Cluster::shared().database("one"), Cluster::shared().database("one"));
    connect(&one).batch_execute("CREATE TABLE here (id bigint)").unwrap();
    assert!(connect(&other).batch_execute("SELECT * FROM here").is_err());
    assert_eq!(ask(&mut connect(&one), "current_setting('fsync')").unwrap(), "on");
    assert_eq!(
        ask(&mut connect(&one), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user").unwrap(),
        "false"
    );
    assert!(refusal(&one.replace(postgres::PASSWORD, "guess")).contains("password"));
}

#[test]
fn a_crashed_server_comes_back_at_the_same_place_with_what_was_committed() {
    let cluster = Cluster::start_with("log_connections = on");
    let url = cluster.database("crash");
    let mut before = connect(&url);
    before.batch_execute("CREATE TABLE kept AS SELECT 7 AS id").unwrap();
    cluster.stop(Stop::Immediate);
    assert!(before.batch_execute("SELECT 1").is_err());
    assert!(refusal(&url).contains("refused"));
    cluster.restart();
    assert_eq!(ask(&mut connect(&url), "SELECT id FROM kept").unwrap(), "7");
    assert!(cluster.log().contains("database system was not properly shut down"), "{}", cluster.log());
    assert!(cluster.log().contains("connection authorized: user=signwave"), "the settings were taken");
    cluster.stop(Stop::Fast);
    cluster.restart();
    assert_eq!(ask(&mut connect(&url), "SELECT id FROM kept").unwrap(), "7");
}

#[test]
fn terminated_backends_are_gone() {
    let url = Cluster::shared().database("terminated");
    let (mut one, mut other) = (connect(&url), connect(&url));
    assert_eq!(Cluster::shared().terminate_backends(database_of(&url)), 2);
    assert!(one.batch_execute("SELECT 1").is_err() && other.batch_execute("SELECT 1").is_err());
}

#[test]
fn a_dropped_server_leaves_nothing_behind() {
    let cluster = Cluster::start();
    let (folder, url) = (cluster.folder().to_owned(), cluster.url(USER, "postgres"));
    drop(connect(&url));
    drop(cluster);
    assert!(!folder.exists());
    assert!(refusal(&url).contains("refused"));
}

/// Not a test of its own: the process that the next test kills.
#[test]
#[ignore = "run by another test"]
fn holds_a_server_until_it_is_killed() {
    let cluster = Cluster::shared();
    println!("folder={}\nport={}", cluster.folder().display(), cluster.port());
    lasting(Duration::from_secs(60));
}

#[test]
fn a_killed_process_leaves_no_server_behind() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "servers::holds_a_server_until_it_is_killed", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut lines = std::io::BufRead::lines(output).map(Result::unwrap);
    let mut value = |name: &str| lines.find_map(|line| Some(line.strip_prefix(name)?.to_owned())).unwrap();
    let (folder, port) = (value("folder="), value("port="));
    let answers = || std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_ok();
    assert!(answers() && std::path::Path::new(&folder).exists());
    child.kill().unwrap();
    child.wait().unwrap();
    let is_gone = || !answers() && !std::path::Path::new(&folder).exists();
    until("the server and its folder are gone", Duration::from_secs(10), is_gone);
}

#[test]
fn a_certificate_is_accepted_for_its_name_and_authority_only() {
    let right = Cluster::with_certificate_for("localhost");
    let wrong = Cluster::with_certificate_for("elsewhere.example");
    let url = right.verified_url("postgres", &right.authority());
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(ask(&mut connect(&url), encrypted).unwrap(), "true");
    let misnamed = refusal(&wrong.verified_url("postgres", &wrong.authority()));
    assert!(misnamed.contains("does not match host name"), "{misnamed}");
    let strange = refusal(&right.verified_url("postgres", &wrong.authority()));
    assert!(strange.contains("certificate verify failed"), "{strange}");
    let plain = Cluster::shared().verified_url("postgres", &right.authority());
    assert!(refusal(&plain).contains("does not support SSL"), "{}", refusal(&plain));
}

#[test]
fn a_replica_follows_and_refuses_writes() {
    let cluster = Cluster::start();
    let replica = cluster.replica();
    let url = cluster.database("followed");
    connect(&url).batch_execute("CREATE TABLE sent AS SELECT 7 AS id").unwrap();
    let here = replica.url(USER, database_of(&url));
    let arrived =
        || PgConnection::establish(&here).ok().and_then(|mut c| ask(&mut c, "SELECT id FROM sent").ok());
    until("the row has arrived", Duration::from_secs(20), || arrived().as_deref() == Some("7"));
    let error = connect(&here).batch_execute("INSERT INTO sent VALUES (8)").unwrap_err().to_string();
    assert!(error.contains("read-only transaction"), "{error}");
}

#[test]
fn pgbouncer_gives_its_connections_to_whoever_has_a_transaction() {
    let url = Cluster::shared().database("bounced");
    let bouncer = Cluster::shared().bouncer(1);
    let here = bouncer.url(USER, database_of(&url));
    let (mut one, mut other) = (connect(&here), connect(&here));
    let backend = "SELECT pg_backend_pid()";
    // One connection to the server serves both clients, in turns.
    assert_eq!(ask(&mut one, backend).unwrap(), ask(&mut other, backend).unwrap(), "{}", bouncer.log());
}
