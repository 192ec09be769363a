//! The HTTP API of a service that runs as a process.

use std::{path::PathBuf, process::Command, time::Duration};

use serde_json::Value;
use ureq::Agent;
pub use ureq::{
    Body, SendBody,
    http::{Request, Response},
};

use crate::{process::Running, sandbox::Sandbox, waiting::until};

/// How long a service may take until it answers, and a request until it is answered.
const SOON: Duration = Duration::from_secs(60);

/// A service that answers on a free port of 127.0.0.1. It is killed when dropped.
pub struct Api {
    /// The process.
    pub service: Running,
    /// The beginning of each address, such as `http://127.0.0.1:40123`.
    pub url: String,
    agent: Agent,
}

impl Api {
    /// Starts `signwave serve` with `arguments` in the folder, and waits until it answers.
    pub fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let command = sandbox.command(&[&["serve", "--listen", "127.0.0.1:0"], arguments].concat());
        Self::of(command, sandbox.path("serve.log"))
    }

    /// Starts `command`, which must listen on a port that it chooses, and waits until it answers.
    pub fn of(command: Command, log: PathBuf) -> Self {
        let service = Running::start(command, log);
        let url = || address(&service.log(), "the API answers at ");
        until("the API answers", SOON, || url().is_some());
        let url = url().unwrap();
        Self::at(service, url)
    }

    /// A service that answers at `url` already.
    pub fn at(service: Running, url: String) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(SOON));
        Self { service, url, agent: config.build().into() }
    }

    /// Sends a request, and returns the answer, whatever its status.
    pub fn send(&self, request: Request<impl Into<SendBody<'static>>>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        self.agent.run(Request::from_parts(parts, body.into())).unwrap()
    }

    /// The answer to GET with these headers.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
        let mut request = Request::get(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(SendBody::none()).unwrap())
    }
}

impl Api {
    /// Asks the other address, where health and metrics are; the function returns the text of an answer.
    pub fn admin(&self) -> impl Fn(&str) -> String {
        let url = self.admin_url();
        move |path| {
            let request = Request::get(format!("{url}{path}")).body(SendBody::none()).unwrap();
            text(self.send(request))
        }
    }

    /// The beginning of each address there.
    pub fn admin_url(&self) -> String {
        let url = || address(&self.service.log(), "health and metrics answer at ");
        until("health and metrics answer", SOON, || url().is_some());
        url().unwrap()
    }
}

/// What the log says after `words`, in a line that is whole.
fn address(log: &str, words: &str) -> Option<String> {
    let (whole, _) = log.rsplit_once('\n')?;
    let after = whole.lines().find_map(|line| line.split_once(words))?.1;
    Some(after.trim().to_owned())
}

/// The body of an answer as JSON.
pub fn json(response: Response<Body>) -> Value {
    serde_json::from_str(&text(response)).unwrap()
}

/// The body of an answer as text.
pub fn text(mut response: Response<Body>) -> String {
    response.body_mut().with_config().limit(1 << 30).read_to_string().unwrap()
}
