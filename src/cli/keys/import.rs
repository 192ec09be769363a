//! `signwave keys import`.

use std::{
    env,
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use zeroize::Zeroizing;

use super::generate::{add, sealed};
use crate::{
    cli::{config_file::PASSPHRASE, context::Context, failure::Usage},
    signer::{self, PrivateKey, PublicKey},
    store::KeyRow,
};

/// Read private keys from files.
#[derive(Args, Debug)]
#[command(after_help = "\
Takes RSA keys in PKCS#1 or PKCS#8, PEM or DER, encrypted PKCS#8 too, of 2048 to 8192 bits.
Every key is checked: that it is consistent, signs, is not there already and shares no prime
with a key that is. When one of several files is refused, none is imported. Remove the files
afterwards: the keys are in the database now, sealed under the master key.

Examples:
  signwave keys import key.pem
  signwave keys import encrypted.pem --passphrase-file passphrase.txt")]
pub struct Import {
    /// The files, one private key in each
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A file whose first line is the passphrase of encrypted keys [or: SIGNWAVE_PASSPHRASE]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// No key file is larger; reading stops there.
const MAX_FILE: u64 = 1 << 20;

impl Import {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let database = context.open()?;
        let master = context.master_key(&database)?;
        let passphrase = self.passphrase()?;
        let mut there = stored_public_keys(&database.store.keys()?)?;
        let mut keys = Vec::new();
        for file in &self.files {
            let key = read(file, passphrase.as_deref().map(String::as_str))
                .and_then(|key| check_new(&key, &there).map(|()| key))
                .map_err(|error| {
                    let sentence = format!("'{}' was not imported: {error}", file.display());
                    error.context(sentence)
                })?;
            there.push((file.display().to_string(), key.public_key().clone()));
            keys.push(sealed(&master, &key)?);
        }
        let mut out = io::stdout().lock();
        for key in keys {
            add(database.store.as_ref(), &key)?;
            writeln!(out, "{}", key.fingerprint)?;
        }
        Ok(())
    }

    fn passphrase(&self) -> Result<Option<Zeroizing<String>>> {
        match (&self.passphrase_file, env::var(PASSPHRASE)) {
            (Some(_), Ok(text)) => {
                drop(Zeroizing::new(text));
                bail!(Usage(format!("both --passphrase-file and {PASSPHRASE} are given: leave one out")))
            }
            (None, Ok(text)) => Ok(Some(text.into())),
            (None, Err(env::VarError::NotPresent)) => Ok(None),
            (None, Err(_)) => bail!(Usage(format!("{PASSPHRASE} is not text: set it anew"))),
            (Some(path), Err(_)) => {
                let bytes = read_secret(path)
                    .with_context(|| format!("the passphrase file '{}' cannot be read", path.display()))?;
                let text = std::str::from_utf8(&bytes).ok().and_then(|text| text.lines().next());
                let text = text
                    .with_context(|| format!("'{}' has no passphrase in its first line", path.display()))?;
                Ok(Some(text.to_owned().into()))
            }
        }
    }
}

fn read(file: &Path, passphrase: Option<&str>) -> Result<PrivateKey> {
    Ok(signer::import(&read_secret(file)?, passphrase)?)
}

/// Reads a file into memory that is wiped afterwards; it never grows, which would leave copies.
fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let read = || {
        let file = File::open(path)?;
        let size = file.metadata()?.len().min(MAX_FILE);
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(size + 1).unwrap_or(0)));
        file.take(MAX_FILE).read_to_end(&mut bytes)?;
        io::Result::Ok(bytes)
    };
    read().map_err(|error| anyhow!("it cannot be read: {error}"))
}

type Named = (String, PublicKey);

fn stored_public_keys(rows: &[KeyRow]) -> Result<Vec<Named>> {
    rows.iter()
        .map(|row| {
            let public_key = PublicKey::from_spki(&row.public_key).with_context(|| {
                format!("the stored public key {} is damaged: run 'signwave verify'", row.id)
            })?;
            Ok((format!("key {}", row.id), public_key))
        })
        .collect()
}

/// Refuses a key that is one of `there`, or shares a prime with one: whoever knows one of such a pair
/// can compute the other.
fn check_new(key: &PrivateKey, there: &[Named]) -> Result<()> {
    let public_key = key.public_key();
    for (name, other) in there {
        if other == public_key {
            bail!("it is there already, as {name}");
        }
        if key.shares_prime_with(other) {
            bail!(
                "it shares a prime with {name}, so that each reveals the other: retire both, and make new ones"
            );
        }
    }
    Ok(())
}
