//! `signwave keys import`.

use std::{
    borrow::Cow,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::{generate::sealed, passphrase::Passphrase, secret_file};
use crate::{
    cli::{context::Context, failure::Usage, user},
    domain::KeyState,
    signer::{PrivateKey, PublicKey, SignerError},
    store::{AddKeyVerdict, KeyRow},
};

/// Read private keys from files.
#[derive(Args, Debug)]
#[command(after_help = "\
Reads RSA keys of 2048 to 8192 bits in PKCS#1 or PKCS#8 (also encrypted), PEM or DER, in PKCS#12, as
a JSON Web Key or as .NET's XML. A key may stand among certificates or in JSON. For other forms, the
error names the command that converts them.

Every key is checked: it must be consistent, it must sign, and it must share no prime with a stored
key. If one of several files is refused, none is imported. A key that is already stored is skipped.
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
}

impl Import {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let inputs = self.files.iter().chain(&self.passphrase_file);
        let inputs = inputs.filter(|path| secret_file::is_stdin(path)).count();
        if inputs + usize::from(context.reads_master_key_from_stdin()) > 1 {
            bail!(Usage(
                "'-' is given twice, but standard input can be read only once: name a file".to_owned()
            ));
        }
        let database = context.open()?;
        let master = context.master_key(&database)?;
        let passphrase = Passphrase::obtain(self.passphrase_file.as_deref())?;
        let mut there = stored_public_keys(&database.store.keys()?)?;
        let mut keys = Vec::new();
        for file in &self.files {
            let name = secret_file::name(file);
            let key = read(file, &passphrase).and_then(|key| Ok((find(&key, &there)?, key)));
            match key.map_err(|error| refused(file, error))? {
                (Some(known), _) => log::info!("{name} is already stored, as {known}: skipped"),
                (None, key) => {
                    there.push((name.clone(), key.public_key().clone()));
                    keys.push((name, sealed(&master, &key)?));
                }
            }
        }
        let mut out = io::stdout().lock();
        for (name, key) in keys {
            match database.store.add_key(&key, &user::by())? {
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
}

fn read(file: &Path, passphrase: &Passphrase) -> Result<PrivateKey> {
    Ok(passphrase.import(&secret_file::read(file)?)?)
}

fn refused(file: &Path, error: anyhow::Error) -> anyhow::Error {
    let reason = match error.downcast_ref::<SignerError>() {
        Some(error) if !secret_file::is_stdin(file) => error.about(&in_a_shell(file)),
        _ => error.to_string(),
    };
    error.context(format!("{} was not imported: {reason}", secret_file::name(file)))
}

/// The name of a file, quoted for a shell.
fn in_a_shell(file: &Path) -> String {
    let name = file.to_string_lossy();
    let name = if name.starts_with('-') { Cow::from(format!("./{name}")) } else { name };
    if name.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+,:@=".contains(c)) {
        name.into_owned()
    } else {
        format!("'{}'", name.replace('\'', r"'\''"))
    }
}

/// The name of a key in messages, and its public half.
type Named = (String, PublicKey);

fn stored_public_keys(rows: &[KeyRow]) -> Result<Vec<Named>> {
    rows.iter()
        .map(|row| {
            let public_key = PublicKey::from_spki(&row.public_key).with_context(|| {
                format!("the stored public key {} is damaged: run 'signwave verify'", row.id)
            })?;
            let name = match row.state {
                KeyState::Active => format!("key {}", row.id),
                state => format!("key {} ({state})", row.id),
            };
            Ok((name, public_key))
        })
        .collect()
}

/// Finds a key among the known ones. Refuses a key that shares a prime with another, because each of the two
/// private keys can be computed from the other.
fn find<'a>(key: &PrivateKey, there: &'a [Named]) -> Result<Option<&'a str>> {
    let public_key = key.public_key();
    if let Some((name, other)) = there.iter().find(|(_, other)| public_key.has_the_numbers_of(other)) {
        if public_key.schemes() == other.schemes() {
            return Ok(Some(name));
        }
        bail!("it is already stored, as {name}, which may sign {}: a key is kept only once", other.schemes());
    }
    if let Some((name, _)) = there.iter().find(|(_, other)| key.shares_prime_with(other)) {
        bail!(
            "it shares a prime with {name}, so that each key reveals the other: retire both, and make new keys"
        );
    }
    Ok(None)
}
