//! Private keys in the files of a directory, such as a secret that Kubernetes mounts.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{Engine, Passphrase, PrivateKey, Signer, SignerError, read_secret_file};
use crate::domain::Fingerprint;

/// One byte more than the largest file that is read.
const MAX_FILE: usize = (1 << 20) + 1;

const NO_PASSPHRASE: &str =
    "the key is encrypted: name a file with its passphrase, as passphrase-file in the settings file";

/// A directory with one private key in each file. The files are read when their keys are opened, so that a secret
/// that was exchanged in the meantime is found.
#[derive(Debug)]
pub struct KeyFiles {
    engine: Engine,
    directory: PathBuf,
    passphrase_file: Option<PathBuf>,
    index: Mutex<Index>,
}

/// What changes when a file is replaced: its number, and when it was written.
type Version = (u64, i64, i64);

/// Which file has which key.
#[derive(Debug, Default)]
struct Index {
    /// The files at that time.
    seen: Vec<(String, Option<Version>)>,
    names: HashMap<Fingerprint, String>,
}

impl KeyFiles {
    /// The files in `directory`, whose signers use `engine`. The first line of `passphrase_file` opens the encrypted
    /// ones.
    pub fn new(engine: Engine, directory: PathBuf, passphrase_file: Option<PathBuf>) -> Self {
        Self { engine, directory, passphrase_file, index: Mutex::default() }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether the directory can be read now.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn look(&self) -> io::Result<()> {
        fs::read_dir(&self.directory).map(drop)
    }

    /// The names of the files, in alphabetical order. Names that begin with a dot are left out: Kubernetes keeps the
    /// versions of a secret under such names, and links to the present one.
    ///
    /// # Errors
    /// When the directory cannot be read, or a name is not UTF-8 text.
    pub fn names(&self) -> Result<Vec<String>, SignerError> {
        let failed = |error: io::Error| self.unreadable(&self.directory, &error.to_string());
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| self.unreadable(&path, "its name is not UTF-8 text"))?;
            if !name.starts_with('.') && !path.is_dir() {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Reads the key in the file called `name`, and checks it as [`import`](super::import()) does.
    ///
    /// # Errors
    /// When the file cannot be read, when users other than its owner can read it, and those of `import`.
    pub fn key(&self, name: &str) -> Result<PrivateKey, SignerError> {
        // A name comes from the database, whose writers must not choose files outside the directory.
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
            return Err(SignerError::KeyFileName(name.to_owned()));
        }
        let path = self.directory.join(name);
        let about = |error: SignerError| {
            let reason = match error {
                SignerError::PassphraseNeeded => NO_PASSPHRASE.to_owned(),
                error => error.about(&path),
            };
            SignerError::KeyInFile { path: path.display().to_string(), reason }
        };
        let passphrase = match &self.passphrase_file {
            None => Passphrase::default(),
            Some(file) => {
                let line = read_secret_file(file, MAX_FILE)?;
                Passphrase::first_line(&line).map_err(|reason| self.unreadable(file, reason))?
            }
        };
        passphrase.import(&read_secret_file(&path, MAX_FILE)?).map_err(about)
    }

    /// Opens the key called `fingerprint`, which was in the file called `name` when it was added. If the file has gone
    /// or has another key now, the key is looked for in the other files.
    pub(super) fn open(&self, fingerprint: Fingerprint, name: &str) -> Result<Box<dyn Signer>, SignerError> {
        let key = match self.key_called(fingerprint, name) {
            Ok(key) => key,
            Err(error) => match self.name_of(fingerprint)? {
                Some(other) => self.key_called(fingerprint, &other)?,
                None => return Err(error),
            },
        };
        self.engine.signer(&key)
    }

    fn key_called(&self, fingerprint: Fingerprint, name: &str) -> Result<PrivateKey, SignerError> {
        let key = self.key(name)?;
        if key.public_key().fingerprint() == fingerprint {
            Ok(key)
        } else {
            Err(SignerError::Mismatch { fingerprint, part: "key file" })
        }
    }

    /// The name of the file that has a key. All files are read for that, once until one of them changes.
    fn name_of(&self, fingerprint: Fingerprint) -> Result<Option<String>, SignerError> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let names = self.names()?;
        let seen: Vec<_> = names.iter().map(|name| (name.clone(), self.version(name))).collect();
        if index.seen != seen {
            let key = |name: String| Some((self.key(&name).ok()?.public_key().fingerprint(), name));
            *index = Index { seen, names: names.into_iter().filter_map(key).collect() };
        }
        Ok(index.names.get(&fingerprint).cloned())
    }

    fn version(&self, name: &str) -> Option<Version> {
        let metadata = fs::metadata(self.directory.join(name)).ok()?;
        Some((metadata.ino(), metadata.mtime(), metadata.mtime_nsec()))
    }

    fn unreadable(&self, path: &Path, reason: &str) -> SignerError {
        SignerError::KeyFile { path: path.display().to_string(), reason: reason.to_owned() }
    }
}
