//! What a real Prometheus makes of the dashboard and the alerts, while two nodes sign.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    dashboard::{Panel, Target, interpolated, panels},
    nodes::{KEYS, Nodes},
    selectors::{metric, selectors},
    server::Prometheus,
};
use crate::service::Service;

const RECORDS: u32 = 3000;

/// What Grafana would take for `$__rate_interval`.
const RATE_INTERVAL: &str = "30s";

/// Selectors of what does not happen in this run.
const UNSEEN: [&str; 2] = [
    r#"signwave_http_requests_total{status!="503",status=~"5.."}"#, // errors of the service
    r#"signwave_http_requests_total{route!~"/health/.*",status=~"429|503"}"#, // clients that send too much
];

/// The values of the whole database that panels must show, although both nodes report them.
const SHOWN: [(&str, u32); 6] = [
    ("Records waiting", 0),
    ("Time left", 0),
    ("Oldest unsigned record", 0),
    ("Active keys", KEYS - 2),
    ("Nodes", 2),
    ("Versions", 2),
];

#[test]
fn every_panel_shows_something_and_the_alerts_hold_that_should() {
    let nodes = Nodes::start();
    let (at, records) = nodes.sign(RECORDS);
    let prometheus = &nodes.prometheus;
    let (panels, alerts) = (panels(), prometheus.alerts());
    for panel in &panels {
        for target in &panel.targets {
            shows_something(prometheus, panel, target, at);
        }
    }
    for (title, value) in [SHOWN.as_slice(), &[("Records signed", records)]].concat() {
        let panel = panels.iter().find(|panel| panel.title == title).unwrap();
        let series =
            prometheus.query(&interpolated(&panel.targets[0].expression, RATE_INTERVAL), Some(at)).unwrap();
        assert_eq!(series.iter().map(|one| one.value).collect::<Vec<_>>(), [f64::from(value)], "{title}");
    }
    assert_eq!(prometheus.series("signwave_anchor_lag_entries").len(), 1, "one of the nodes has an anchor");
    let holding: Vec<_> =
        alerts.iter().filter(|alert| holds(prometheus, alert, at)).map(|alert| &alert["name"]).collect();
    assert_eq!(holding, ["SignwaveKeySuspended", "SignwaveBatchesFailed"]);
    say_what_to_do_next(&nodes.service, &alerts);
    let asked = panels
        .iter()
        .flat_map(|panel| &panel.targets)
        .map(|target| interpolated(&target.expression, RATE_INTERVAL));
    for expression in asked.chain(alerts.iter().map(|alert| alert["query"].as_str().unwrap().to_owned())) {
        selectors(&expression).into_iter().for_each(|selector| exists(prometheus, selector));
    }
}

/// A panel has series with numbers, and its legend has names for them.
fn shows_something(prometheus: &Prometheus, panel: &Panel, target: &Target, at: f64) {
    let expression = interpolated(&target.expression, RATE_INTERVAL);
    let series =
        prometheus.query(&expression, Some(at)).unwrap_or_else(|error| panic!("{}: {error}", panel.title));
    assert!(!series.is_empty(), "{} shows nothing: {expression}", panel.title);
    for one in &series {
        assert!(one.value.is_finite(), "{}: {one:?}", panel.title);
        let labels = target.legend.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap());
        labels.for_each(|label| {
            assert!(one.labels[label].is_string(), "{}: no {label} in {one:?}", panel.title)
        });
    }
}

/// Whether the expression of an alert has a series, which Prometheus must have evaluated by itself, too.
fn holds(prometheus: &Prometheus, alert: &Value, at: f64) -> bool {
    assert_eq!(alert["health"], "ok", "{alert}");
    let series = prometheus.query(alert["query"].as_str().unwrap(), Some(at)).unwrap();
    !series.is_empty()
}

/// Each alert has a severity and a summary, and the commands and flags that it advises exist.
fn say_what_to_do_next(service: &Service, alerts: &[Value]) {
    let mut advised = BTreeSet::new();
    for alert in alerts {
        let severity = alert["labels"]["severity"].as_str().unwrap();
        let [summary, description] =
            ["summary", "description"].map(|name| alert["annotations"][name].as_str().unwrap());
        assert!(["critical", "warning"].contains(&severity) && !summary.is_empty(), "{alert}");
        advised.extend(description.split('`').skip(1).step_by(2));
    }
    let serve = service.run(&["serve", "--help"]);
    for named in advised {
        match named.strip_prefix("signwave ") {
            Some(command) => {
                drop(service.run(&[&command.split(' ').collect::<Vec<_>>()[..], &["--help"]].concat()))
            }
            None => assert!(!named.starts_with("--") || serve.contains(named), "{named} is no flag"),
        }
    }
}

/// Prometheus has found series for a selector; for what does not happen here, the metric has the labels.
fn exists(prometheus: &Prometheus, selector: &str) {
    if !UNSEEN.contains(&selector) {
        assert!(!prometheus.series(selector).is_empty(), "there is no {selector}");
        return;
    }
    let labels =
        selector.split(['{', ',', '}']).skip(1).filter_map(|matcher| matcher.split(['=', '!']).next());
    let series = prometheus.series(metric(selector));
    for label in labels.filter(|label| !label.is_empty()) {
        assert!(series.iter().any(|one| one[label].is_string()), "no {label} in {selector}");
    }
}
