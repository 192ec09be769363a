//! The history of a run, as charts show it.

use std::time::Duration;

use serde_json::Value;
use support::{sandbox::Sandbox, waiting::until};

use crate::site::Site;

const RECORDS: u64 = 3000;

fn points(site: &Site, range: &str) -> (u64, Vec<Value>) {
    let history = site.get(&format!("/v1/history?range={range}"));
    assert_eq!(history["range"], range);
    (history["step_seconds"].as_u64().unwrap(), history["points"].as_array().unwrap().clone())
}

fn sum(points: &[Value]) -> u64 {
    points.iter().map(|point| point["signed"].as_u64().unwrap()).sum()
}

#[test]
fn the_sum_of_each_range_is_what_the_process_has_signed() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--keys", "2", "--records", &RECORDS.to_string()]);
    // What another process has signed is not in it.
    sandbox.ok(&["sign"]);
    sandbox.ok(&["seed", "--records", &(2 * RECORDS).to_string()]);
    let site = Site::over(sandbox, "read", &[]);
    until("all are signed", Duration::from_secs(120), || sum(&points(&site, "10m").1) == RECORDS);
    for (range, step, most) in [("10m", 1, 600), ("1h", 5, 720), ("24h", 60, 1440)] {
        let (seconds, points) = points(&site, range);
        assert_eq!((seconds, sum(&points)), (step, RECORDS), "{range}");
        assert!(!points.is_empty() && points.len() <= most);
        let busy: Vec<_> = points.iter().filter_map(|point| point["busy"].as_f64()).collect();
        assert!(busy.iter().all(|busy| (0.0..=1.0).contains(busy)) && busy.iter().any(|busy| *busy > 0.0));
        assert!(points.iter().all(|point| point["backlog"].is_null()), "nobody has looked");
        let times: Vec<_> = points.iter().map(|point| point["at"].as_str().unwrap()).collect();
        assert!(times.is_sorted() && times.iter().all(|time| time.ends_with('Z')), "{times:?}");
    }
    until("a look at the status is in it", Duration::from_secs(30), || {
        site.get("/v1/status");
        points(&site, "10m").1.last().unwrap()["backlog"] == 0
    });
    // A step in which nothing happened is there, too, and the status is not read for it.
    let count = points(&site, "10m").1.len();
    until("time goes on", Duration::from_secs(30), || points(&site, "10m").1.len() >= count + 3);
    let (_, all) = points(&site, "10m");
    assert!(all[count..].iter().all(|point| point["signed"] == 0 && point["busy"] == 0.0), "{all:?}");
    assert!(all.last().unwrap()["backlog"].is_null(), "{all:?}");
}

#[test]
fn the_range_is_one_of_three_and_a_process_that_does_not_sign_is_never_busy() {
    let site = Site::over(Sandbox::migrated(), "read", &["--roles", "emit"]);
    for wrong in ["?range=2h", "?range=", "?range=10M", "?range=10m&range=1h", "?from=10m"] {
        assert_eq!(site.get_with(&format!("/v1/history{wrong}"), &[]).status(), 400, "{wrong}");
    }
    assert_eq!(site.get("/v1/history")["range"], "10m");
    let (_, points) = points(&site, "10m");
    assert!(points.iter().all(|point| point["busy"].is_null() && point["signed"] == 0), "{points:?}");
}
