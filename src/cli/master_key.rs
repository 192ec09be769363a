//! Where the master key comes from, and that it is the right one.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use zeroize::Zeroizing;

use super::{config_file::MASTER_KEY, context::Database, failure::Usage};
use crate::{
    signer::{MasterKey, SignerError, unseal},
    store::{DatabaseUrl, Store},
};

/// Takes the master key from `file`, or from `text` (the environment), or from the database's own
/// file beside it, which is made on first use.
///
/// # Errors
/// When there is none, or it does not open the keys that are stored.
pub fn obtain(
    file: Option<&Path>,
    text: Option<Zeroizing<String>>,
    database: &Database,
) -> Result<MasterKey> {
    let master = match (file, text) {
        (Some(_), Some(_)) => {
            bail!(Usage(format!("both {MASTER_KEY} and a master key file are set: unset one of them")))
        }
        (Some(path), None) if path == Path::new("-") => MasterKey::read_from(io::stdin().lock())??,
        (Some(path), None) => MasterKey::read(path)?,
        (None, Some(text)) => MasterKey::from_base64(&text)?,
        (None, None) => beside(database)?,
    };
    check(&master, database.store.as_ref())?;
    Ok(master)
}

/// The master key of an SQLite database lies beside it. A new one is made only while no key depends
/// on an older one.
fn beside(database: &Database) -> Result<MasterKey> {
    let DatabaseUrl::Sqlite(path) = &database.url else {
        bail!(
            "a PostgreSQL database has no master key of its own: make one with 'signwave keys init-master FILE' \
             and name it with --master-key-file"
        )
    };
    let path = default_path(path);
    if path.try_exists()? {
        return Ok(MasterKey::read(&path)?);
    }
    if sealed_keys(database.store.as_ref())?.next().is_some() {
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
        // Another process made it in this very moment.
        Err(SignerError::MasterKeyExists { .. }) => Ok(MasterKey::read(&path)?),
        Err(error) => Err(error.into()),
    }
}

fn default_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".master");
    path.into()
}

/// Opens one stored key: a wrong master key is found before any work is done with it.
fn check(master: &MasterKey, store: &dyn Store) -> Result<()> {
    let Some(sealed) = sealed_keys(store)?.next() else { return Ok(()) };
    let (fingerprint, sealed) = sealed?;
    unseal(master, &fingerprint, &sealed)?;
    Ok(())
}

type Sealed = (crate::domain::Fingerprint, Vec<u8>);

/// The stored private keys, each read when it is asked for.
fn sealed_keys(store: &dyn Store) -> Result<impl Iterator<Item = Result<Sealed>>> {
    let keys = store.keys()?;
    Ok(keys.into_iter().filter_map(move |key| match store.stored_key(key.id) {
        Ok(stored) => stored.and_then(|stored| Some(Ok((stored.fingerprint, stored.sealed_key?)))),
        Err(error) => Some(Err(error.into())),
    }))
}
