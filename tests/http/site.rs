//! A service with a database, and a client that has a token.

use std::io;

use serde_json::Value;
use support::{
    api::{Api, Body, Request, Response, SendBody, json},
    sandbox::Sandbox,
};

/// A service with a database, and a client that has a token.
pub struct Site {
    pub sandbox: Sandbox,
    pub api: Api,
    bearer: String,
}

impl Site {
    /// A service over the database in `sandbox`, and a token with the scopes.
    pub fn over(sandbox: Sandbox, scopes: &str, arguments: &[&str]) -> Self {
        let token = sandbox.ok(&["tokens", "create", "--name", "test", "--scope", scopes]);
        let api = Api::start(&sandbox, arguments);
        Self { sandbox, api, bearer: format!("Bearer {}", token.trim()) }
    }

    /// The value of the header Authorization.
    pub fn bearer(&self) -> &str {
        &self.bearer
    }

    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
        self.api.get(path, &[&[("authorization", self.bearer.as_str())], headers].concat())
    }

    /// The JSON of an answer that must be 200.
    pub fn get(&self, path: &str) -> Value {
        let answer = self.get_with(path, &[]);
        assert_eq!(answer.status(), 200, "{path}");
        json(answer)
    }

    /// Sends JSON; returns the status and the answer's JSON.
    pub fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.api.url))
            .header("authorization", &self.bearer)
            .header("content-type", "application/json");
        let answer = self
            .api
            .send(request.body(SendBody::from_owned_reader(io::Cursor::new(body.to_string()))).unwrap());
        (answer.status().as_u16(), json(answer))
    }
}

/// A database with two keys and `records` signed test records, called seed-1, seed-2, ..
pub fn signed(records: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--keys", "2", "--records", records]);
    sandbox.ok(&["sign"]);
    sandbox
}
