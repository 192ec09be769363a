//! A service that the programs ask, and how they are run.

use std::process::Command;

use support::{
    api::Api,
    process::{binary, tool},
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
        Self::with_keys("2", arguments)
    }

    /// Starts one with another number of keys.
    pub fn with_keys(count: &str, arguments: &[&str]) -> Self {
        let sandbox = Sandbox::new();
        for prepare in [&["keys", "init-master", "master"][..], &["seed", "--keys", count]] {
            succeeded(&signwave(&sandbox, prepare).output().unwrap());
        }
        let api = serve(&sandbox, "serve.log", arguments);
        Self { sandbox, api }
    }

    /// Starts another process on the same database, whose log goes to the file `log`.
    pub fn another(&self, log: &str, arguments: &[&str]) -> Api {
        serve(&self.sandbox, log, arguments)
    }

    /// Runs a command on the database, which must succeed.
    pub fn run(&self, arguments: &[&str]) -> String {
        succeeded(&signwave(&self.sandbox, arguments).output().unwrap())
    }

    /// A token with these scopes.
    pub fn token(&self, scope: &str) -> String {
        self.run(&["tokens", "create", "--name", "test", "--scope", scope]).trim().to_owned()
    }

    /// A program that is told where the service is, and has a token with these scopes. It is ended after ten minutes,
    /// so that one that waits for ever fails.
    pub fn client(&self, scope: &str, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.program("timeout", &[&["600"], arguments].concat());
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

/// The path of a program in `programs/`.
pub fn program(name: &str) -> String {
    root().join("tests/clients/programs").join(name).into_os_string().into_string().unwrap()
}

fn serve(sandbox: &Sandbox, log: &str, arguments: &[&str]) -> Api {
    let serve = signwave(sandbox, &[&["serve", "--listen", "127.0.0.1:0"], arguments].concat());
    Api::of(serve, sandbox.path(log))
}

fn signwave(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = sandbox.program(binary().to_str().unwrap(), arguments);
    if arguments[..2] != ["keys", "init-master"] {
        command.env("SIGNWAVE_MASTER_KEY_FILE", sandbox.path("master"));
    }
    command
}
