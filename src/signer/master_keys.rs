//! The master keys of a process: the current one, the next one while the master key is changed, and those before.

use std::{
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

use super::{
    MasterKey, MasterKeyCommand, MasterKeyId, PrivateKey, SignerError,
    seal::{reseal, seal, sealed_under, unseal},
};
use crate::domain::Fingerprint;

/// Where a master key is read, again and again.
#[derive(Clone, Debug)]
pub enum MasterKeySource {
    /// A file.
    File(PathBuf),
    /// A command that prints it.
    Command(MasterKeyCommand),
}

/// How long the output of a command counts, because a run may be a call of a key service.
const COMMAND_COUNTS: Duration = Duration::from_secs(1);

/// The master keys of a process.
///
/// A key that is sealed under an unknown master key makes the sources be read again. So a process goes on when the master
/// key is changed while it runs.
#[derive(Debug, Default)]
pub struct MasterKeys {
    current: Option<MasterKeySource>,
    /// It may name a file that does not exist yet.
    next: Option<MasterKeySource>,
    known: RwLock<Known>,
    /// Held while the sources are read. The time is when all of them were.
    reading: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Known {
    current: Option<Arc<MasterKey>>,
    next: Option<Arc<MasterKey>>,
    /// Every master key that was read. Keys that were loaded before a change of the master key still open.
    all: Vec<Arc<MasterKey>>,
}

impl MasterKeySource {
    /// Reads the master key.
    ///
    /// # Errors
    /// Those of [`MasterKey::read`] and [`MasterKeyCommand::run`].
    pub fn read(&self) -> Result<MasterKey, SignerError> {
        match self {
            Self::File(path) => MasterKey::read(path),
            Self::Command(command) => command.run(),
        }
    }

    /// Whether this is the name of a file that does not exist.
    pub fn is_missing(&self) -> bool {
        let Self::File(path) = self else { return false };
        fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    /// Whether to read it, given when it was read last. Opening a pipe a second time could wait for ever.
    fn is_due(&self, last: Option<Instant>) -> bool {
        match (self, last) {
            (_, None) => true,
            (Self::File(path), _) => fs::metadata(path).map_or(true, |it| it.is_file() || it.is_dir()),
            (Self::Command(_), Some(last)) => last.elapsed() >= COMMAND_COUNTS,
        }
    }
}

impl MasterKeys {
    /// The master keys of these sources, which are read when a key needs them.
    pub fn new(current: Option<MasterKeySource>, next: Option<MasterKeySource>) -> Self {
        Self { current, next, ..Self::default() }
    }

    /// A master key that cannot be read again, and the source of the next one.
    pub fn given(master: MasterKey, next: Option<MasterKeySource>) -> Self {
        let keys = Self::new(None, next);
        keys.known_mut().current = Some(keys.add(master));
        keys
    }

    /// Whether a master key was read, or a source may have one.
    pub fn may_exist(&self) -> bool {
        let has_one = |source: &MasterKeySource| !source.is_missing();
        !self.known().all.is_empty() || self.current.iter().chain(&self.next).any(has_one)
    }

    /// Opens the key called `fingerprint`.
    ///
    /// # Errors
    /// [`NoMasterKey`](SignerError::NoMasterKey) when there is none; those of the sources and of [`unseal`].
    pub fn unseal(&self, fingerprint: &Fingerprint, sealed: &[u8]) -> Result<PrivateKey, SignerError> {
        unseal(&*self.of(fingerprint, sealed)?, fingerprint, sealed)
    }

    /// Seals the key called `fingerprint` under the master key `to`. A key that is sealed under it already is only tried,
    /// and the answer is `None`.
    ///
    /// # Errors
    /// As [`unseal`](Self::unseal), and those of sealing.
    pub fn reseal(
        &self,
        to: &MasterKey,
        fingerprint: &Fingerprint,
        sealed: &[u8],
    ) -> Result<Option<Vec<u8>>, SignerError> {
        if sealed_under(fingerprint, sealed)? == to.id() {
            return reseal(to, to, fingerprint, sealed).map(|_| None);
        }
        reseal(&*self.of(fingerprint, sealed)?, to, fingerprint, sealed).map(Some)
    }

    /// Seals a key under the next master key as soon as there is one, otherwise under the current one. Nothing that is
    /// sealed during a change of the master key then depends on the old one.
    ///
    /// # Errors
    /// [`NoMasterKey`](SignerError::NoMasterKey) when there is none; those of the sources, if no master key was ever read;
    /// those of [`seal`].
    pub fn seal(&self, key: &PrivateKey) -> Result<Vec<u8>, SignerError> {
        match self.to_seal_with()? {
            Some(master) => seal(&master, key),
            None => Err(SignerError::NoMasterKey(key.public_key().fingerprint())),
        }
    }

    /// The master key under which new secrets are sealed: see [`seal`](Self::seal).
    pub(super) fn to_seal_with(&self) -> Result<Option<Arc<MasterKey>>, SignerError> {
        let read = self.read(&mut self.reading());
        let known = self.known();
        match known.next.as_ref().or(known.current.as_ref()) {
            Some(master) => Ok(Some(Arc::clone(master))),
            None => read.map(|()| None),
        }
    }

    /// The next master key; `None` if there is none yet.
    ///
    /// # Errors
    /// Those of the sources.
    pub fn next(&self) -> Result<Option<Arc<MasterKey>>, SignerError> {
        self.read(&mut self.reading())?;
        Ok(self.known().next.clone())
    }

    /// Where the current and the next master key are read.
    pub fn sources(&self) -> (Option<&MasterKeySource>, Option<&MasterKeySource>) {
        (self.current.as_ref(), self.next.as_ref())
    }

    /// The master key that opens a sealed key.
    fn of(&self, fingerprint: &Fingerprint, sealed: &[u8]) -> Result<Arc<MasterKey>, SignerError> {
        let id = sealed_under(fingerprint, sealed)?;
        self.with_id(id)?.map_err(|given| {
            let fingerprint = *fingerprint;
            if given.is_empty() {
                SignerError::NoMasterKey(fingerprint)
            } else {
                SignerError::WrongMasterKey { fingerprint, sealed_under: id, given }
            }
        })
    }

    /// The master key with this id, or the ids of all that are known. The sources are read again if it is not known.
    pub(super) fn with_id(
        &self,
        id: MasterKeyId,
    ) -> Result<Result<Arc<MasterKey>, Vec<MasterKeyId>>, SignerError> {
        if let Some(master) = self.find(id) {
            return Ok(Ok(master));
        }
        let mut last = self.reading();
        // Another thread may just have read it.
        if let Some(master) = self.find(id) {
            return Ok(Ok(master));
        }
        let read = self.read(&mut last);
        if let Some(master) = self.find(id) {
            return Ok(Ok(master));
        }
        read?;
        Ok(Err(self.known().all.iter().map(|master| master.id()).collect()))
    }

    fn find(&self, id: MasterKeyId) -> Option<Arc<MasterKey>> {
        self.known().all.iter().find(|master| master.id() == id).cloned()
    }

    /// Reads both sources again. What cannot be read stays as it is.
    fn read(&self, last: &mut Option<Instant>) -> Result<(), SignerError> {
        // The next one comes first. If its file takes the place of the current one now, it is found there.
        let has_no_next = self.next.as_ref().is_none_or(MasterKeySource::is_missing);
        let next = if has_no_next { Ok(None) } else { self.read_one(self.next.as_ref(), *last) };
        let current = self.read_one(self.current.as_ref(), *last);
        if last.is_none_or(|last| last.elapsed() >= COMMAND_COUNTS) {
            *last = Some(Instant::now());
        }
        let mut known = self.known_mut();
        match &next {
            Ok(Some(next)) => known.next = Some(Arc::clone(next)),
            Ok(None) if has_no_next => known.next = None,
            _ => {}
        }
        if let Ok(Some(current)) = &current {
            known.current = Some(Arc::clone(current));
        }
        next.and(current).map(drop)
    }

    /// `None` if the source is not to be read again.
    fn read_one(
        &self,
        source: Option<&MasterKeySource>,
        last: Option<Instant>,
    ) -> Result<Option<Arc<MasterKey>>, SignerError> {
        let due = source.filter(|source| source.is_due(last));
        due.map(|source| source.read().map(|master| self.add(master))).transpose()
    }

    /// Remembers a master key, once.
    fn add(&self, master: MasterKey) -> Arc<MasterKey> {
        self.find(master.id()).unwrap_or_else(|| {
            let master = Arc::new(master);
            self.known_mut().all.push(Arc::clone(&master));
            master
        })
    }

    fn reading(&self) -> MutexGuard<'_, Option<Instant>> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}
