//! The dashboard for Grafana, as far as it can be read without Grafana.

use std::collections::BTreeSet;

use serde_json::Value;
use support::root;

/// One panel.
pub struct Panel {
    /// Its title.
    pub title: String,
    /// What it asks Prometheus.
    pub targets: Vec<Target>,
}

/// One question of a panel.
pub struct Target {
    /// The expression, with Grafana's variables.
    pub expression: String,
    /// What each line is called, such as `{{instance}}`.
    pub legend: String,
}

/// All panels but the titles of rows.
pub fn panels() -> Vec<Panel> {
    let panels = elements().into_iter().filter(|panel| panel["type"] != "row");
    panels.map(|panel| Panel { title: text(&panel["title"]), targets: targets(&panel) }).collect()
}

/// An expression as Grafana sends it for all nodes of the job `signwave`.
pub fn interpolated(expression: &str, rate_interval: &str) -> String {
    let replaced = expression
        .replace("$__rate_interval", rate_interval)
        .replace("$job", "signwave")
        .replace("$instance", ".*");
    assert!(!replaced.contains('$'), "an unknown variable in {replaced}");
    replaced
}

#[test]
fn every_panel_says_what_it_shows_in_which_unit() {
    let panels = elements();
    let titles: BTreeSet<_> = panels.iter().map(|panel| text(&panel["title"])).collect();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!((titles.len(), ids.len()), (panels.len(), panels.len()), "titles and ids are unique");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert!(text(&panel["description"]).ends_with('.'), "{panel}");
        assert!(!text(&panel["fieldConfig"]["defaults"]["unit"]).is_empty(), "{panel}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        assert!(!targets(panel).is_empty(), "{panel}");
    }
}

#[test]
fn no_two_panels_overlap() {
    let mut taken = BTreeSet::new();
    for panel in elements() {
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + w <= 24, "{panel}");
        let places = (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y)));
        for place in places {
            assert!(taken.insert(place), "{place:?} is taken twice: {panel}");
        }
    }
}

fn elements() -> Vec<Value> {
    let text = std::fs::read_to_string(root().join("packaging/grafana/signwave.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    dashboard["panels"].as_array().unwrap().clone()
}

fn targets(panel: &Value) -> Vec<Target> {
    let legend = |target: &Value| target["legendFormat"].as_str().unwrap_or_default().to_owned();
    let targets = panel["targets"].as_array().unwrap().iter();
    targets.map(|target| Target { expression: text(&target["expr"]), legend: legend(target) }).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
