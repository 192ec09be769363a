//! What Prometheus and its tools say of the metrics, and of what `packaging/` has for Prometheus and Grafana.

mod dashboard;
mod nodes;
mod rules;
mod selectors;
mod server;
mod watched;

use std::{fs::File, process::Stdio};

use support::{api::text, process::tool, sandbox::succeeded};

use crate::service::Service;

/// A service that has answered some requests, so that metrics with labels have values.
fn busy() -> (Service, String) {
    let service = Service::start(&[]);
    succeeded(&service.python("submit,read", "with_jose.py").output().unwrap());
    let bearer = format!("Bearer {}", service.token("read"));
    for path in ["/v1/status", "/v1/records/999", "/nowhere", "/v1/batches"] {
        service.api.get(path, &[("authorization", &bearer)]);
    }
    (service, bearer)
}

#[test]
fn promtool_has_no_objection_to_the_metrics() {
    let (service, bearer) = busy();
    let metrics = text(service.api.get("/metrics", &[("authorization", &bearer)]));
    assert!(metrics.contains("signwave_http_requests_total{"), "{metrics}");
    service.sandbox.write("metrics", &metrics);
    let mut check = service.client("read", &[&promtool(), "check", "metrics"]);
    let output =
        check.stdin(Stdio::from(File::open(service.sandbox.path("metrics")).unwrap())).output().unwrap();
    let said = [succeeded(&output), String::from_utf8(output.stderr).unwrap()].concat();
    assert_eq!(said, "", "promtool has an objection");
}

#[test]
fn the_parser_of_prometheus_client_reads_the_metrics_as_openmetrics() {
    let (service, _) = busy();
    succeeded(&service.python("read", "openmetrics.py").output().unwrap());
}

fn promtool() -> String {
    tool("prometheus/usr/bin/promtool")
}
