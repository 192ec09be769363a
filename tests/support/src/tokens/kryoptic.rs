//! Kryoptic: another implementation, so that no test takes a habit of SoftHSM for the standard.

use std::{fs, path::Path};

use super::{OFFICER, PIN, Token, write_pin};
use crate::{process::tool, sandbox::succeeded};

pub(super) fn start(folder: &Path) -> Token {
    let (storage, configuration) = (folder.join("kryoptic.sql"), folder.join("kryoptic.conf"));
    let settings = format!("[[slots]]\nslot = 1\ndbtype = \"sqlite\"\ndbargs = \"{}\"\n", storage.display());
    fs::write(&configuration, settings).unwrap();
    let token = Token {
        module: tool("kryoptic/libkryoptic_pkcs11.so").into(),
        environment: vec![("KRYOPTIC_CONF", configuration.to_str().unwrap().to_owned())],
        label: "strict",
        pin_file: write_pin(folder),
        storage,
    };
    let initialise = ["--init-token", "--slot", "1", "--label", token.label, "--so-pin", OFFICER];
    succeeded(&token.run(&initialise, &[]));
    let officer = ["--token-label", token.label, "--login", "--login-type", "so", "--so-pin", OFFICER];
    succeeded(&token.run(&officer, &["--init-pin", "--new-pin", PIN]));
    token
}
