//! SoftHSM: it serves any number of sessions, and never locks a PIN.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{OFFICER, PIN, Token, write_pin};
use crate::sandbox::succeeded;

pub(super) fn start(folder: &Path) -> Token {
    let (storage, configuration) = (folder.join("softhsm"), folder.join("softhsm2.conf"));
    fs::create_dir(&storage).unwrap();
    let settings = format!("directories.tokendir = {}\nlog.level = ERROR\n", storage.display());
    fs::write(&configuration, settings).unwrap();
    let token = Token {
        module: module(),
        environment: vec![("SOFTHSM2_CONF", configuration.to_str().unwrap().to_owned())],
        label: "soft",
        pin_file: write_pin(folder),
        storage,
    };
    let initialise = ["--init-token", "--slot-index", "0", "--label", token.label, "--so-pin", OFFICER];
    succeeded(&token.run(&initialise, &[]));
    let officer = ["--token-label", token.label, "--login", "--login-type", "so", "--so-pin", OFFICER];
    succeeded(&token.run(&officer, &["--init-pin", "--new-pin", PIN]));
    token
}

/// Where the distributions have it.
fn module() -> PathBuf {
    let folders = ["/usr/lib/softhsm", "/usr/lib64/softhsm", "/usr/lib64/pkcs11", "/usr/local/lib/softhsm"];
    let paths = folders.map(|folder| Path::new(folder).join("libsofthsm2.so"));
    paths.into_iter().find(|path| path.exists()).expect("these tests need SoftHSM: scripts/install-tools")
}
