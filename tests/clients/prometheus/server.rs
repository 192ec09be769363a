//! A Prometheus at work.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use support::{
    process::{Running, tool},
    sandbox::Sandbox,
    waiting::until,
};
use ureq::Agent;

/// It runs in a folder, with the `prometheus.yml` there, and is killed when dropped.
pub struct Prometheus {
    _process: Running,
    url: String,
    agent: Agent,
}

/// One series of an answer, with its value.
#[derive(Debug)]
pub struct Series {
    /// Its labels.
    pub labels: Value,
    /// Its value.
    pub value: f64,
}

impl Prometheus {
    /// Starts it on a free port.
    pub fn start(folder: &Sandbox) -> Self {
        let place = ["--config.file=prometheus.yml", "--storage.tsdb.path=data"];
        let listen = ["--web.listen-address=127.0.0.1:0"];
        let command = folder.program(&tool("prometheus/usr/bin/prometheus"), &[&place[..], &listen].concat());
        let process = Running::start(command, folder.path("prometheus.log"));
        let address =
            || Some(process.log().split_once(r#"msg="Listening on" address="#)?.1.lines().next()?.to_owned());
        let is_ready = || process.log().contains("Server is ready to receive web requests");
        until("Prometheus is ready", Duration::from_secs(30), || is_ready() && address().is_some());
        let config = Agent::config_builder().http_status_as_error(false);
        Self {
            url: format!("http://{}/api/v1", address().unwrap()),
            _process: process,
            agent: config.build().into(),
        }
    }

    /// The series that the expression has at a time in seconds, or now.
    pub fn query(&self, expression: &str, at: Option<f64>) -> Result<Vec<Series>, String> {
        let at = at.map_or_else(String::new, |at| format!("&time={at}"));
        let data = self.get(&format!("query?query={}{at}", encoded(expression)))?;
        let series = data["result"].as_array().ok_or_else(|| format!("no list in {data}"))?;
        Ok(series.iter().map(|one| Series { labels: one["metric"].clone(), value: value(one) }).collect())
    }

    /// The labels of all series that the selector has found so far.
    pub fn series(&self, selector: &str) -> Vec<Value> {
        let data = self.get(&format!("series?match[]={}", encoded(selector))).unwrap();
        data.as_array().unwrap().clone()
    }

    /// All alert rules, with what became of their last evaluation.
    pub fn alerts(&self) -> Vec<Value> {
        let data = self.get("rules?type=alert").unwrap();
        data["groups"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap())
            .cloned()
            .collect()
    }

    /// The data of an answer, or what Prometheus says against the question.
    fn get(&self, path: &str) -> Result<Value, String> {
        let mut answer = self.agent.get(format!("{}/{path}", self.url)).call().unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        let mut body: Value = serde_json::from_str(&text).map_err(|_| text)?;
        if body["status"] == "success" { Ok(body["data"].take()) } else { Err(body["error"].to_string()) }
    }
}

fn value(series: &Value) -> f64 {
    series["value"][1].as_str().unwrap().parse().unwrap()
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
