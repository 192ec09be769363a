//! Where the master keys come from, and the check that they open the sealed keys.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use zeroize::Zeroizing;

use super::{config_file::MASTER_KEY, failure::Usage};
use crate::{
    domain::{Fingerprint, KeyMaterial},
    signer::{Engine, Keyring, MasterKey, MasterKeyCommand, MasterKeySource, MasterKeys, SignerError},
    store::{DatabaseUrl, Store},
};

/// The possible sources of the master keys of a database.
pub struct Sources<'a> {
    /// The file that a flag, the environment or the settings file names.
    pub file: Option<&'a Path>,
    /// The command that prints it.
    pub command: Option<&'a MasterKeyCommand>,
    /// The key itself, from the environment.
    pub text: Option<Zeroizing<String>>,
    /// The file of the next master key.
    pub next_file: Option<&'a Path>,
    /// The command that prints the next master key.
    pub next_command: Option<&'a MasterKeyCommand>,
    /// The address of the database. An SQLite database has its master key file beside it.
    pub url: &'a DatabaseUrl,
    /// The database, whose sealed keys must open.
    pub store: &'a dyn Store,
}

/// Where the current master key comes from.
enum Current {
    /// It can be read again.
    Source(MasterKeySource),
    /// It cannot be read again.
    Read(MasterKey),
    /// It is not given, and is beside the database if that is a file.
    Beside(Option<PathBuf>),
}

impl Sources<'_> {
    /// The keyring of the database. It needs a master key only for sealed keys. If no key is sealed and no master
    /// key is given, the keyring reads the file beside the database when it opens the first sealed key.
    ///
    /// # Errors
    /// When the master key is missing, or does not open the sealed keys.
    pub fn keyring(&self, engine: Engine) -> Result<Keyring> {
        let masters = match self.current()? {
            Current::Beside(path) if !self.has_sealed_keys()? => {
                let current = path.map(MasterKeySource::File);
                let next = self.next(current.as_ref())?;
                MasterKeys::new(current, next)
            }
            current => self.proven(current)?,
        };
        Ok(Keyring::of(engine, masters))
    }

    /// The master keys, proven to open a sealed key. For an SQLite database the current one is made on first use.
    ///
    /// # Errors
    /// When the master key is missing, or does not open the sealed keys.
    pub fn master_keys(&self) -> Result<MasterKeys> {
        self.proven(self.current()?)
    }

    /// Whether the database has sealed keys.
    fn has_sealed_keys(&self) -> Result<bool> {
        Ok(sealed_keys(self.store)?.next().is_some())
    }

    /// Whether the database has sealed keys, secrets of webhooks, or a key of the ledger.
    ///
    /// # Errors
    /// Those of the database.
    pub fn has_sealed(&self) -> Result<bool> {
        Ok(self.has_sealed_keys()?
            || !self.store.webhooks()?.is_empty()
            || self.store.ledger_key()?.is_some())
    }

    fn current(&self) -> Result<Current> {
        match (self.file, self.command, &self.text) {
            (None, None, None) => Ok(Current::Beside(beside(self.url))),
            (Some(path), None, None) if is_stdin(path) => {
                Ok(Current::Read(MasterKey::read_from(io::stdin().lock())??))
            }
            (Some(path), None, None) => Ok(Current::Source(MasterKeySource::File(path.to_owned()))),
            (None, Some(command), None) => Ok(Current::Source(MasterKeySource::Command(command.clone()))),
            (None, None, Some(text)) => Ok(Current::Read(MasterKey::from_base64(text)?)),
            _ => bail!(Usage(format!(
                "more than one of {MASTER_KEY}, a master key file and a master key command is set: unset all but one"
            ))),
        }
    }

    /// Where the next master key is: beside the file of the current one, unless another place is given.
    fn next(&self, current: Option<&MasterKeySource>) -> Result<Option<MasterKeySource>> {
        Ok(match (self.next_file, self.next_command, current) {
            (Some(_), Some(_), _) => bail!(Usage(
                "both a file and a command of the next master key are set: unset one of them".to_owned()
            )),
            (Some(path), None, _) if is_stdin(path) => bail!(Usage(
                "the next master key cannot come from standard input, because it is read again: name a file"
                    .to_owned()
            )),
            (Some(path), None, _) => Some(MasterKeySource::File(path.to_owned())),
            (None, Some(command), _) => Some(MasterKeySource::Command(command.clone())),
            (None, None, Some(MasterKeySource::File(path))) => {
                Some(MasterKeySource::File(with(path, ".next")))
            }
            (None, None, _) => None,
        })
    }

    /// Reads the master keys, and tries them on a sealed key.
    fn proven(&self, current: Current) -> Result<MasterKeys> {
        let masters = match current {
            Current::Read(master) => MasterKeys::given(master, self.next(None)?),
            Current::Source(source) => self.read(source)?,
            Current::Beside(path) => self.read(MasterKeySource::File(self.made(path)?))?,
        };
        if let Some(sealed) = sealed_keys(self.store)?.next() {
            let (fingerprint, sealed) = sealed?;
            masters.unseal(&fingerprint, &sealed)?;
        }
        Ok(masters)
    }

    fn read(&self, current: MasterKeySource) -> Result<MasterKeys> {
        let next = self.next(Some(&current))?;
        let masters = MasterKeys::new(Some(current), next);
        masters.next()?;
        Ok(masters)
    }

    /// The file beside the database. A new one is made only while nothing depends on an older one.
    fn made(&self, beside: Option<PathBuf>) -> Result<PathBuf> {
        let Some(path) = beside else {
            bail!(
                "no master key is given for the PostgreSQL database: make one with 'signwave keys init-master \
                 FILE' and name it with --master-key-file"
            )
        };
        if path.try_exists()? {
            return Ok(path);
        }
        if self.has_sealed()? {
            bail!(
                "the master key file '{0}' is missing, and the keys in the database cannot be opened without it: \
                 restore it, or name it with --master-key-file",
                path.display()
            )
        }
        make(&path, "master key")?;
        Ok(path)
    }
}

/// Makes a master key in a file, unless another process makes it at the same time. `what` is what messages call it.
///
/// # Errors
/// Those of [`MasterKey::create`].
pub fn make(path: &Path, what: &str) -> Result<()> {
    match MasterKey::create(path) {
        Ok(_) => {
            log::info!("made the {what} '{}': keep a copy of it, apart from the database", path.display())
        }
        Err(SignerError::MasterKeyExists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// The file beside an SQLite database.
fn beside(url: &DatabaseUrl) -> Option<PathBuf> {
    let DatabaseUrl::Sqlite(database) = url else { return None };
    Some(with(database, ".master"))
}

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
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
