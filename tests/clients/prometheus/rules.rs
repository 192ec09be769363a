//! The alert rules and the example configuration, as promtool sees them.

use support::{
    root,
    sandbox::{Sandbox, succeeded},
};

use super::promtool;

/// Puts a copy of what is in `packaging/prometheus` into the folder.
pub fn copy_to(folder: &Sandbox) {
    for file in std::fs::read_dir(root().join("packaging/prometheus")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.path(file.file_name().to_str().unwrap())).unwrap();
    }
}

#[test]
fn promtool_has_no_objection_to_the_rules_and_the_configuration() {
    let sandbox = Sandbox::new();
    copy_to(&sandbox);
    for named in ["signwave.token", "signwave.ca.pem"] {
        sandbox.write(named, "");
    }
    for check in [["check", "rules", "signwave.rules.yml"], ["check", "config", "prometheus.yml"]] {
        let output = sandbox.program(&promtool(), &check).output().unwrap();
        assert!(succeeded(&output).contains("SUCCESS"), "{output:?}");
    }
}

#[test]
fn every_alert_fires_when_it_should_and_only_then() {
    let sandbox = Sandbox::new();
    copy_to(&sandbox);
    succeeded(&sandbox.program(&promtool(), &["test", "rules", "signwave.rules.test.yml"]).output().unwrap());
    let (rules, tests) = (sandbox.read("signwave.rules.yml"), sandbox.read("signwave.rules.test.yml"));
    let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    for alert in alerts {
        let cases = tests.lines().filter(|line| line.contains(&format!("alertname: {alert}")));
        let (quiet, loud): (Vec<_>, Vec<_>) = cases.partition(|case| case.contains("exp_alerts: []"));
        assert!(!quiet.is_empty() && !loud.is_empty(), "{alert}: {quiet:?}, {loud:?}");
    }
}
