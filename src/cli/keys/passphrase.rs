//! Where the passphrase of encrypted keys comes from.

use std::{env, os::unix::ffi::OsStringExt, path::Path};

use anyhow::{Result, bail};
use zeroize::Zeroizing;

use super::secret_file;
use crate::{
    cli::{config_file::PASSPHRASE, failure::Usage},
    signer::Passphrase,
};

/// Reads the passphrase from `file`, or otherwise from the environment.
pub fn obtain(file: Option<&Path>) -> Result<Passphrase> {
    let text = env::var_os(PASSPHRASE).map(|text| Zeroizing::new(text.into_vec()));
    match (file, text) {
        (Some(_), Some(_)) => {
            bail!(Usage(format!("both --passphrase-file and {PASSPHRASE} are given: leave one out")))
        }
        (None, Some(text)) => Ok(Passphrase::exactly(text)),
        (None, None) => Ok(Passphrase::default()),
        (Some(path), None) => {
            let name = secret_file::name(path);
            let bytes = secret_file::read(path).map_err(|error| {
                let sentence = format!("the passphrase file {name}: {error}");
                error.context(sentence)
            })?;
            Passphrase::first_line(&bytes)
                .map_err(|reason| Usage(format!("the passphrase file {name} {reason}")).into())
        }
    }
}
