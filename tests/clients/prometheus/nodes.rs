//! Two nodes on one database, which a Prometheus watches while they sign.

use std::time::Duration;

use support::{
    api::Api,
    openssl::{TLS, server_certificate},
    sandbox::Sandbox,
    waiting::until,
};

use super::{rules, server::Prometheus};
use crate::service::Service;

/// How many keys there are. Two of them cannot be opened.
pub const KEYS: u32 = 8;

/// No broker is there.
const NOWHERE_TO_PUBLISH: &str = "amqp://127.0.0.1:1/?queue=q";

/// Requests for the status, which Prometheus has seen.
const ASKED: &str = r#"sum(signwave_http_requests_total{route="/v1/status"})"#;

/// Two nodes and a Prometheus.
pub struct Nodes {
    /// A node whose metrics are at an address of their own.
    pub service: Service,
    /// A node with a certificate, whose metrics are at the address of its API.
    _second: Api,
    /// It looks at both each second, as `packaging/prometheus/prometheus.yml` says.
    pub prometheus: Prometheus,
}

impl Nodes {
    /// Starts them, without a record to sign.
    pub fn start() -> Self {
        let batches = ["--batch-size", "100"];
        let admin = ["--admin-listen", "127.0.0.1:0"];
        let publish = ["--publish", NOWHERE_TO_PUBLISH];
        let anchor = ["--anchor", "anchor"];
        let service = Service::with_keys(&KEYS.to_string(), &[batches, admin, publish, anchor].concat());
        service.run(&["webhooks", "add", "https://127.0.0.1:1/", "--allow-internal", "--name", "nowhere"]);
        exchange_two_keys(&service.sandbox);
        server_certificate(&service.sandbox.path(""), "node-2");
        let second = service.another("second.log", &[&batches[..], &TLS].concat());
        configure(&service, &second);
        let prometheus = Prometheus::start(&service.sandbox);
        Self { service, _second: second, prometheus }
    }

    /// Adds records and asks the API, until Prometheus has seen that all are signed and that two keys failed.
    /// Returns Prometheus' time of then, in seconds, and the number of records.
    pub fn sign(&self, mut records: u32) -> (f64, u32) {
        let authorization = format!("Bearer {}", self.service.token("read"));
        let ask = || self.service.api.get("/v1/status", &[("authorization", &authorization)]);
        // A rate needs a value from before, also that of the requests.
        ask();
        self.wait_until(&[(ASKED, 1), ("count(count_over_time(signwave_records_signed_total[1m]) > 1)", 2)]);
        ask();
        let seed = |records: u32| self.service.run(&["seed", "--records", &records.to_string()]);
        seed(records);
        let is_done = "SELECT (SELECT count(*) FROM record) = (SELECT count(*) FROM signature)";
        let suspended = "SELECT count(*) FROM signing_key WHERE state = 'suspended'";
        until("two keys are suspended, and all is signed", Duration::from_secs(120), || {
            let (is_done, suspended) =
                (self.service.sandbox.number(is_done) == 1, self.service.sandbox.number(suspended));
            if is_done && suspended < 2 {
                // The other keys were faster than those were tried three times.
                records += 500;
                seed(records);
            }
            is_done && suspended == 2
        });
        let (signed, suspended) =
            (r#"min(signwave_records{state="signed"})"#, r#"min(signwave_keys{state="suspended"})"#);
        self.wait_until(&[(ASKED, 2), (signed, records), (suspended, 2)]);
        (self.prometheus.query("vector(time())", None).unwrap()[0].value, records)
    }

    /// Waits until Prometheus finds these values for these expressions.
    fn wait_until(&self, wanted: &[(&str, u32)]) {
        for (expression, value) in wanted {
            until(&format!("{expression} is {value}"), Duration::from_secs(60), || {
                let found = self.prometheus.query(expression, None).unwrap();
                found.iter().any(|series| series.value == f64::from(*value))
            });
        }
    }
}

/// Neither of the two opens any more.
fn exchange_two_keys(sandbox: &Sandbox) {
    sandbox.sql(
        "CREATE TEMP TABLE kept AS SELECT id, sealed_key FROM signing_key;
         UPDATE signing_key SET sealed_key = (SELECT sealed_key FROM kept WHERE kept.id = 5 - signing_key.id)
         WHERE id IN (2, 3)",
    );
}

/// The configuration of `packaging/`, with the addresses of these nodes and a shorter interval.
fn configure(service: &Service, second: &Api) {
    let (sandbox, first) = (&service.sandbox, service.api.admin_url());
    rules::copy_to(sandbox);
    let mut config = sandbox.read("prometheus.yml");
    for (example, real) in [
        ("node-1.example:7447", first.strip_prefix("http://").unwrap()),
        ("node-2.example:7446", second.url.strip_prefix("https://").unwrap()),
        ("_interval: 15s", "_interval: 1s"),
    ] {
        assert!(config.contains(example), "{config}");
        config = config.replace(example, real);
    }
    sandbox.write("prometheus.yml", config);
    sandbox.write("signwave.token", service.token("read"));
    std::fs::copy(sandbox.path("tls.pem"), sandbox.path("signwave.ca.pem")).unwrap();
}
