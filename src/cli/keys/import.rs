//! `signwave keys import`.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::{limits::Limits, passphrase, rows::sealed, secret_file};
use crate::{
    cli::{context::Context, failure::Usage, user},
    domain::KeyState,
    signer::{Passphrase, PrivateKey, PublicKey, SignerError},
    store::{AddKeyVerdict, NewKey, Store},
};

/// Read private keys from files.
#[derive(Args, Debug)]
#[command(after_help = "\
Reads RSA keys of 2048 to 8192 bits in PKCS#1 or PKCS#8 (also encrypted), PEM or DER, in PKCS#12, as
a JSON Web Key or as .NET's XML. A key may stand among certificates or in JSON. For other forms, the
error names the command that converts them.

Every key is checked: it must be consistent, it must sign, and it must share no prime with a stored
key. If one of several files is refused, none is imported. A key that is already stored is skipped,
and keeps its limits.
The fingerprints of the new keys are printed. Remove the files afterwards, because the keys are in
the database then, sealed under the master key.

Examples:
  signwave keys import key.pem
  signwave keys import encrypted.pem --passphrase-file passphrase.txt
  vault kv get -field=key secret/signer | signwave keys import -")]
pub struct Import {
    /// The files, one private key in each; '-' is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A file whose first line is the passphrase of encrypted keys [or: SIGNWAVE_PASSPHRASE]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    limits: Limits,
}

impl Import {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let limits = self.limits.of_new_key()?;
        let inputs = self.files.iter().chain(&self.passphrase_file);
        let inputs = inputs.filter(|path| secret_file::is_stdin(path)).count();
        if inputs + usize::from(context.reads_master_key_from_stdin()) > 1 {
            bail!(Usage(
                "'-' is given twice, but standard input can be read only once: name a file".to_owned()
            ));
        }
        let database = context.open()?;
        let masters = context.master_keys(&database)?;
        let passphrase = passphrase::obtain(self.passphrase_file.as_deref())?;
        let mut known = Known::stored(database.store.as_ref())?;
        let mut keys = Vec::new();
        for file in &self.files {
            let name = secret_file::name(file);
            let key = read(file, &passphrase).and_then(|key| {
                let shares_prime = |other: &PublicKey| key.shares_prime_with(other);
                Ok((known.adds(&name, key.public_key(), shares_prime)?, key))
            });
            if let (true, key) = key.map_err(|error| refused(file, error))? {
                keys.push((name, NewKey { limits, ..sealed(&masters, &key)? }));
            }
        }
        store_and_print(database.store.as_ref(), keys)
    }
}

/// Stores new keys and prints their fingerprints. Each key has the name that messages call it by.
pub(super) fn store_and_print(store: &dyn Store, keys: Vec<(String, NewKey)>) -> Result<()> {
    let mut out = io::stdout().lock();
    for (name, key) in keys {
        match store.add_key(&key, &user::by())? {
            AddKeyVerdict::Added(_) => writeln!(out, "{}", key.fingerprint)?,
            // Another process has added the key since.
            AddKeyVerdict::AlreadyThere(id) => {
                log::info!("{name} is already stored, as key {id}: skipped")
            }
        }
        out.flush()?;
    }
    Ok(())
}

fn read(file: &Path, passphrase: &Passphrase) -> Result<PrivateKey> {
    Ok(passphrase.import(&secret_file::read(file)?)?)
}

fn refused(file: &Path, error: anyhow::Error) -> anyhow::Error {
    let reason = match error.downcast_ref::<SignerError>() {
        Some(error) if !secret_file::is_stdin(file) => error.about(file),
        _ => error.to_string(),
    };
    error.context(format!("{} was not imported: {reason}", secret_file::name(file)))
}

/// The stored keys, and those that are about to be added: the name of each in messages, and its public half.
pub(super) struct Known(Vec<(String, PublicKey)>);

impl Known {
    /// The stored keys.
    pub(super) fn stored(store: &dyn Store) -> Result<Self> {
        let keys = store.keys()?.into_iter().map(|row| {
            let public_key = PublicKey::from_spki(&row.public_key).with_context(|| {
                format!("the stored public key {} is damaged: run 'signwave verify'", row.id)
            })?;
            let name = match row.state {
                KeyState::Active => format!("key {}", row.id),
                state => format!("key {} ({state})", row.id),
            };
            Ok((name, public_key))
        });
        Ok(Self(keys.collect::<Result<_>>()?))
    }

    /// Whether a key is new: then it is among the known ones from now on. Logs that a known key is skipped. `shares_prime`
    /// says whether it has a prime in common with another.
    ///
    /// # Errors
    /// When the key shares a prime with another, because each of the two private keys can be computed from the other;
    /// when it is known as a key for other schemes.
    pub(super) fn adds(
        &mut self,
        name: &str,
        public_key: &PublicKey,
        shares_prime: impl Fn(&PublicKey) -> bool,
    ) -> Result<bool> {
        if let Some((known, other)) = self.0.iter().find(|(_, other)| public_key.has_the_numbers_of(other)) {
            if public_key.schemes() == other.schemes() {
                log::info!("{name} is already stored, as {known}: skipped");
                return Ok(false);
            }
            bail!(
                "it is already stored, as {known}, which may sign {}: a key is kept only once",
                other.schemes()
            );
        }
        if let Some((known, _)) = self.0.iter().find(|(_, other)| shares_prime(other)) {
            bail!(
                "it shares a prime with {known}, so that each key reveals the other: retire both, and make new keys"
            );
        }
        self.0.push((name.to_owned(), public_key.clone()));
        Ok(true)
    }
}
