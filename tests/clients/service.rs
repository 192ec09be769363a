//! A service that the programs ask, and how they are run.

use std::process::Command;

use support::{
    api::Api,
    process::binary,
    root,
    sandbox::{Sandbox, succeeded},
};

/// A service on an SQLite database with two keys.
pub struct Service {
    /// Its folder.
    pub sandbox: Sandbox,
    /// The process.
    pub api: Api,
}

impl Service {
    /// Starts one with these arguments.
    pub fn start(arguments: &[&str]) -> Self {
        let sandbox = Sandbox::new();
        for prepare in [&["keys", "init-master", "master"][..], &["seed", "--keys", "2"]] {
            succeeded(&signwave(&sandbox, prepare).output().unwrap());
        }
        let serve = signwave(&sandbox, &[&["serve", "--listen", "127.0.0.1:0"], arguments].concat());
        let api = Api::of(serve, sandbox.path("serve.log"));
        Self { sandbox, api }
    }

    /// A token with these scopes.
    pub fn token(&self, scope: &str) -> String {
        let create = ["tokens", "create", "--name", "test", "--scope", scope];
        succeeded(&signwave(&self.sandbox, &create).output().unwrap()).trim().to_owned()
    }

    /// A program that is told where the service is, and has a token with these scopes. It is ended after two minutes,
    /// so that one that waits for ever fails.
    pub fn client(&self, scope: &str, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.program("timeout", &[&["120"], arguments].concat());
        command.env("URL", &self.api.url).env("TOKEN", self.token(scope));
        command
    }

    /// A Python program of `programs/`, with the packages of `requirements.txt`.
    pub fn python(&self, scope: &str, name: &str) -> Command {
        let mut command = self.client(scope, &["python3", &program(name)]);
        with_packages(&mut command);
        command
    }
}

/// Gives a Python program the packages of `requirements.txt`.
pub fn with_packages(command: &mut Command) {
    let packages = tool("python");
    let programs = format!("{packages}/bin:{}", std::env::var("PATH").unwrap());
    command.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1").env("PATH", programs);
}

/// A file that `scripts/install-tools` has brought.
pub fn tool(name: &str) -> String {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let path = root().join(target).join("tools").join(name);
    assert!(path.exists(), "'{}' is missing: run scripts/install-tools first", path.display());
    path.into_os_string().into_string().unwrap()
}

/// The path of a program in `programs/`.
pub fn program(name: &str) -> String {
    root().join("tests/clients/programs").join(name).into_os_string().into_string().unwrap()
}

fn signwave(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = sandbox.program(binary().to_str().unwrap(), arguments);
    if arguments[..2] != ["keys", "init-master"] {
        command.env("SIGNWAVE_MASTER_KEY_FILE", sandbox.path("master"));
    }
    command
}
