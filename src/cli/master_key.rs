//! Where the master key comes from, and the check that it opens the sealed keys.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use zeroize::Zeroizing;

use super::{config_file::MASTER_KEY, failure::Usage};
use crate::{
    domain::{Fingerprint, KeyMaterial},
    signer::{Engine, Keyring, MasterKey, SignerError, unseal},
    store::{DatabaseUrl, Store},
};

/// The possible sources of the master key of a database.
pub struct Source<'a> {
    /// The file that a flag, the environment or the settings file names.
    pub file: Option<&'a Path>,
    /// The key itself, from the environment.
    pub text: Option<Zeroizing<String>>,
    /// The address of the database. An SQLite database has its master key file beside it.
    pub url: &'a DatabaseUrl,
    /// The database, whose sealed keys must open.
    pub store: &'a dyn Store,
}

impl Source<'_> {
    /// The keyring of the database. It needs a master key only for sealed keys. If no key is sealed and no master
    /// key is given, the keyring reads the file beside the database when it opens the first sealed key.
    ///
    /// # Errors
    /// When the master key is missing, or does not open the sealed keys.
    pub fn keyring(self, engine: Engine) -> Result<Keyring> {
        let is_given = self.file.is_some() || self.text.is_some();
        if !is_given && sealed_keys(self.store)?.next().is_none() {
            return Ok(Keyring::locked(engine, beside(self.url)));
        }
        Ok(Keyring::new(engine, self.master_key()?))
    }

    /// The master key. For an SQLite database it is made on first use.
    ///
    /// # Errors
    /// When it is missing, or does not open the sealed keys.
    pub fn master_key(self) -> Result<MasterKey> {
        let master = match (self.file, &self.text) {
            (Some(_), Some(_)) => {
                bail!(Usage(format!("both {MASTER_KEY} and a master key file are set: unset one of them")))
            }
            (Some(path), None) if path == Path::new("-") => MasterKey::read_from(io::stdin().lock())??,
            (Some(path), None) => MasterKey::read(path)?,
            (None, Some(text)) => MasterKey::from_base64(text)?,
            (None, None) => self.read_or_make()?,
        };
        if let Some(sealed) = sealed_keys(self.store)?.next() {
            let (fingerprint, sealed) = sealed?;
            unseal(&master, &fingerprint, &sealed)?;
        }
        Ok(master)
    }

    /// Takes the master key from the file beside the database. A new one is made only while no key depends on
    /// an older one.
    fn read_or_make(&self) -> Result<MasterKey> {
        let Some(path) = beside(self.url) else {
            bail!(
                "no master key is given for the PostgreSQL database: make one with 'signwave keys init-master \
                 FILE' and name it with --master-key-file"
            )
        };
        if path.try_exists()? {
            return Ok(MasterKey::read(&path)?);
        }
        if sealed_keys(self.store)?.next().is_some() {
            bail!(
                "the master key file '{0}' is missing, and the keys in the database cannot be opened without it: \
                 restore it, or name it with --master-key-file",
                path.display()
            )
        }
        match MasterKey::create(&path) {
            Ok(master) => {
                log::info!(
                    "made the master key '{}': keep a copy of it, apart from the database",
                    path.display()
                );
                Ok(master)
            }
            // Another process has just made it.
            Err(SignerError::MasterKeyExists { .. }) => Ok(MasterKey::read(&path)?),
            Err(error) => Err(error.into()),
        }
    }
}

/// The file beside an SQLite database.
fn beside(url: &DatabaseUrl) -> Option<PathBuf> {
    let DatabaseUrl::Sqlite(database) = url else { return None };
    let mut path = database.as_os_str().to_owned();
    path.push(".master");
    Some(path.into())
}

/// The sealed private keys, each read when it is asked for.
fn sealed_keys(store: &dyn Store) -> Result<impl Iterator<Item = Result<(Fingerprint, Vec<u8>)>>> {
    let keys = store.keys()?;
    Ok(keys.into_iter().filter_map(|key| match store.stored_key(key.id).transpose()? {
        Ok(stored) => match stored.material {
            KeyMaterial::Sealed(sealed) => Some(Ok((stored.fingerprint, sealed))),
            KeyMaterial::Elsewhere { .. } => None,
        },
        Err(error) => Some(Err(error.into())),
    }))
}
