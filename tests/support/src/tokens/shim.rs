//! The module with faults, `shim.c`: it stands in front of a token.

use std::{fs, path::PathBuf, process::Command};

use tempfile::TempDir;

use super::Token;

/// A token with faults that can be changed while programs use it, and that counts what they call.
pub struct Shim {
    /// How it is reached.
    pub token: Token,
    folder: TempDir,
}

impl Shim {
    /// Stands in front of `token`, and changes nothing yet.
    pub fn of(token: &Token) -> Self {
        let folder = TempDir::new().unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tokens/shim.c");
        let module = folder.path().join("shim.so");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-I/usr/include/p11-kit-1", source]);
        assert!(compiler.arg("-o").arg(&module).status().expect("a C compiler is there").success());
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let mut environment = token.environment.clone();
        let behind = token.module.to_str().unwrap().to_owned();
        environment.extend([
            ("SHIM_MODULE", behind),
            ("SHIM_CONTROL", path("control")),
            ("SHIM_CALLS", path("calls")),
        ]);
        let shim = Self { token: Token { module, environment, ..token.clone() }, folder };
        shim.control("");
        shim
    }

    /// What goes wrong from the next call on, in place of what did: lines as `shim.c` lists them.
    pub fn control(&self, faults: &str) {
        let new = self.file("new");
        fs::write(&new, faults.replace(' ', "\n")).unwrap();
        fs::rename(new, self.file("control")).unwrap();
    }

    /// What was called until now, by all programs.
    pub fn calls(&self) -> Vec<Call> {
        let text = fs::read_to_string(self.file("calls")).unwrap_or_default();
        text.lines().map(Call::parse).collect()
    }

    /// How many calls of this function returned until now.
    pub fn count(&self, function: &str) -> usize {
        self.calls().iter().filter(|call| call.function == function).count()
    }

    /// How many sessions a process has open.
    pub fn open_sessions(&self, process: u32) -> usize {
        let calls = self.calls();
        let calls = calls.iter().filter(|call| call.process == process && call.result == 0);
        calls.fold(0, |open, call| match call.function.as_str() {
            "C_OpenSession" => open + 1,
            "C_CloseSession" => open - 1,
            "C_CloseAllSessions" | "C_Finalize" => 0,
            _ => open,
        })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A call of the module that returned, or, with the function `hang`, one that does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub process: u32,
    pub function: String,
    /// A `CK_RV`; 0 is success.
    pub result: u64,
}

impl Call {
    fn parse(line: &str) -> Self {
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap();
        Self {
            process: word().parse().unwrap(),
            function: word().to_owned(),
            result: u64::from_str_radix(word().trim_start_matches("0x"), 16).unwrap(),
        }
    }
}
