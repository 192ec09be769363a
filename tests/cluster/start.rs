//! Nodes that start before their server, or while it crashes.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use rustix::process::Signal;
use support::{
    postgres::{Cluster, PASSWORD, Stop, database_of},
    random::{Random, count},
    waiting::until,
};

use crate::site::{Node, Site, number};

#[test]
fn a_node_waits_for_a_server_that_is_not_up_until_it_is_or_a_signal_comes() {
    let cluster = Cluster::start();
    let site = Site::new(&cluster, "waiting", 2, 2048);
    site.insert(10);
    cluster.stop(Stop::Fast);
    let mut nodes = ["patient", "stopped"].map(|name| site.node(name, "5"));
    for node in &mut nodes {
        until("it says that it waits", Duration::from_secs(10), || {
            node.log().contains("cannot open postgres")
        });
        node.must_run();
        assert!(!node.log().contains(PASSWORD), "{}", node.log());
    }
    let [mut patient, stopped] = nodes;
    let (_, log) = stopped.stop();
    assert!(log.contains("never reached"), "{log}");
    cluster.restart();
    site.wait_until_signed(Duration::from_secs(20), &mut [&mut patient]);
    site.check_all_signed([patient]);
}

#[test]
fn what_no_waiting_mends_ends_a_node_at_once() {
    let site = Site::new(Cluster::shared(), "mistaken", 1, 2048);
    let name = database_of(&site.url);
    let mistakes = [
        ("password", site.url.replace(PASSWORD, "guess"), "password authentication failed"),
        ("database", site.url.replace(name, "nowhere"), "does not exist"),
        ("host", site.url.replace("127.0.0.1", "nobody.invalid"), "nobody.invalid"),
        ("tls", format!("{}?sslmode=require", site.url), "does not support SSL"),
    ];
    for (mistake, url, expected) in mistakes {
        ends_with(site.node_at(&url, mistake, "5"), expected);
    }
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')";
    site.admin().batch_execute(newer).unwrap();
    ends_with(site.node("newer", "5"), "use a newer signwave");
}

fn ends_with(node: Node, expected: &str) {
    let (code, log) = node.ended(Duration::from_secs(5));
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains(expected), "'{expected}' is not in:\n{log}");
}

#[test]
fn a_server_that_crashes_at_any_moment_of_a_start_is_waited_for() {
    let (mut random, starts) = (Random::new(), count("TEST_STARTS", 6));
    let cluster = Cluster::start();
    let site = Site::new(&cluster, "starting", 4, 2048);
    let mut waited = 0;
    for round in 0..starts {
        site.insert(50);
        let mut node = site.node(&format!("round_{round}"), "5");
        random.moment(Duration::from_millis(40));
        cluster.stop(Stop::Immediate);
        cluster.restart();
        site.wait_until_signed(Duration::from_secs(20), &mut [&mut node]);
        waited += usize::from(node.log().contains("cannot open") || node.log().contains("cannot start"));
        // Some leave nobody behind, some a name that nobody has.
        node.signal(if round % 2 == 0 { Signal::TERM } else { Signal::KILL });
        node.ended(Duration::from_secs(5));
    }
    assert!(waited > 0, "no crash came in time: this proves nothing");
    site.ok(&["verify"]);
    assert_eq!(number(&mut site.admin(), "SELECT count(*) FROM signature"), 50 * starts as i64);
    println!("measured: {starts} starts during crashes, of which {waited} waited for the server");
}
