//! SIGTERM and SIGINT, under load.

use std::time::Duration;

use rustix::process::Signal;
use support::{
    postgres::Cluster,
    random::{Random, count},
    waiting::until,
};

use crate::site::{Site, number};

#[test]
fn stopped_under_load_a_node_exits_0_within_5_seconds_with_nothing_leased() {
    let (mut random, stops) = (Random::new(), count("TEST_STOPS", 10));
    let site = Site::new(Cluster::shared(), "stop", 8, 2048);
    let (mut sql, mut times) = (site.admin(), Vec::new());
    for round in 0..stops {
        site.keep_waiting(&mut sql, 2000);
        let mut node = site.node(&format!("round_{round}"), "100");
        // Long enough that its signal handlers are there: before that a signal just ends it.
        until("it has registered", Duration::from_secs(10), || {
            node.must_run();
            number(&mut sql, "SELECT count(*) FROM node") == 1
        });
        random.moment(Duration::from_millis(200));
        let (took, _) = node.stop_by(if round % 2 == 0 { Signal::TERM } else { Signal::INT });
        times.push(took);
        assert_eq!(number(&mut sql, "SELECT count(*) FROM batch WHERE state = 'leased'"), 0, "round {round}");
        assert_eq!(number(&mut sql, "SELECT count(*) FROM node"), 0, "round {round}");
    }
    site.ok(&["sign"]);
    let records = site.check_all_signed([]);
    times.sort();
    println!("measured: {stops} stops, {records} records; they took {times:?}");
    // While the machine stands still, nothing ends.
    assert!(times[stops / 2] < Duration::from_secs(5), "{times:?}");
}
