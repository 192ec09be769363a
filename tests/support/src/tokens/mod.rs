//! PKCS#11 tokens: two kinds in software, a server between a token and its users, and a module with the faults of devices.

mod kryoptic;
mod server;
mod shim;
mod softhsm;

use std::{
    fmt::Write,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

pub use server::Server;
pub use shim::{Call, Shim};

use crate::sandbox::succeeded;

/// The user's PIN of every token here. A text that stands nowhere else, so that tests find each copy of it.
pub const PIN: &str = "7403926158";

/// The PIN of the security officer, who only initialises a token.
const OFFICER: &str = "12345678";

/// A token with a user's PIN, and how a program reaches it.
#[derive(Clone)]
pub struct Token {
    /// The library that a program loads.
    pub module: PathBuf,
    /// What that library expects in the environment.
    pub environment: Vec<(&'static str, String)>,
    pub label: &'static str,
    /// Has [`PIN`], with mode 0600.
    pub pin_file: PathBuf,
    /// What the token keeps, as one file or folder: without it the token is gone.
    pub storage: PathBuf,
}

impl Token {
    /// A new token of SoftHSM, kept in `folder`.
    pub fn softhsm(folder: &Path) -> Self {
        softhsm::start(folder)
    }

    /// A new token of Kryoptic, which keeps to the standard more strictly, kept in `folder`.
    pub fn kryoptic(folder: &Path) -> Self {
        kryoptic::start(folder)
    }

    /// The section of the configuration that makes it the custodian `name`; `more` has further lines.
    pub fn section(&self, name: &str, more: &str) -> String {
        let mut section = format!("[custody.{name}]\nkind = \"pkcs11\"\n");
        let [module, pin_file] = [&self.module, &self.pin_file].map(|path| path.display());
        let label = self.label;
        write!(section, "module = \"{module}\"\ntoken = \"{label}\"\npin-file = \"{pin_file}\"\n").unwrap();
        let variables: Vec<_> =
            self.environment.iter().map(|(name, value)| format!("{name} = \"{value}\"")).collect();
        write!(section, "env = {{ {} }}\n{more}\n", variables.join(", ")).unwrap();
        section
    }

    /// Runs `pkcs11-tool` on the token without a login.
    pub fn tool(&self, arguments: &[&str]) -> Output {
        self.run(&["--token-label", self.label], arguments)
    }

    /// Generates an RSA key of `bits` with this id, in hexadecimal digits, and gives its public half (DER).
    pub fn generate(&self, id: &str, bits: u32) -> Vec<u8> {
        let kind = format!("rsa:{bits}");
        let usage = ["--usage-sign", "--sensitive", "--label", id, "--id", id];
        succeeded(&self.as_user(&[&["--keypairgen", "--key-type", &kind][..], &usage].concat()));
        self.public_key(id)
    }

    /// The public half (SubjectPublicKeyInfo, DER) of the key with this id.
    pub fn public_key(&self, id: &str) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let asked = ["--read-object", "--type", "pubkey", "--id", id, "--output-file", path];
        succeeded(&self.tool(&asked));
        fs::read(path).unwrap()
    }

    /// Runs `pkcs11-tool` on the token after a login with [`PIN`].
    pub fn as_user(&self, arguments: &[&str]) -> Output {
        self.run(&["--token-label", self.label, "--login", "--pin", PIN], arguments)
    }

    fn run(&self, first: &[&str], arguments: &[&str]) -> Output {
        let mut tool = Command::new("pkcs11-tool");
        tool.arg("--module").arg(&self.module).args(first).args(arguments);
        tool.envs(self.environment.iter().map(|(name, value)| (name, value)));
        tool.output().expect("these tests need the pkcs11-tool command")
    }
}

/// Writes [`PIN`] to a file in `folder`.
fn write_pin(folder: &Path) -> PathBuf {
    let path = folder.join("pin");
    fs::write(&path, format!("{PIN}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}
