//! The broker of a test program ends with it, however that ends.

use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
};

use support::{
    rabbitmq::Broker,
    waiting::{lasting, until},
};

use crate::SOON;

/// Not a test: the process that the next test kills.
#[test]
#[ignore = "run by another test"]
fn holds_a_broker_until_it_is_killed() {
    let broker = Broker::start();
    println!("folder={}\nport={}", broker.folder().display(), broker.port());
    lasting(SOON);
}

#[test]
fn a_killed_process_leaves_no_broker_behind() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "leftovers::holds_a_broker_until_it_is_killed", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut value = |name: &str| lines.find_map(|line| Some(line.strip_prefix(name)?.to_owned())).unwrap();
    let (folder, port) = (value("folder="), value("port="));
    let answers = || TcpStream::connect(format!("127.0.0.1:{port}")).is_ok();
    assert!(answers() && Path::new(&folder).exists());
    child.kill().unwrap();
    child.wait().unwrap();
    until("the broker and its folder are gone", SOON, || !answers() && !Path::new(&folder).exists());
}
