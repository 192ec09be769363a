//! The master key, under which the database's private keys are sealed, and its file.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use aws_lc_rs::rand;
use data_encoding::{BASE64, HEXLOWER};
use zeroize::Zeroizing;

use super::SignerError;

const LEN: usize = 32;

/// 32 random bytes, wiped when dropped. Whoever has them and the database has every private key.
pub struct MasterKey(Zeroizing<[u8; LEN]>);

impl MasterKey {
    /// A new master key from the system's random generator.
    ///
    /// # Panics
    /// If the random generator fails: nothing secret can be made then.
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; LEN]);
        rand::fill(bytes.as_mut_slice()).expect("the random generator works");
        Self(bytes)
    }

    /// Reads 32 bytes in base64 (RFC 4648, section 4), with or without a newline at the end.
    ///
    /// # Errors
    /// For any other text.
    pub fn from_base64(text: &str) -> Result<Self, SignerError> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        let bytes = BASE64.decode(text.as_bytes()).map(Zeroizing::new);
        let mut key = Zeroizing::new([0; LEN]);
        match bytes {
            // The decoder takes several texts in a row, each with its padding: not here.
            Ok(bytes) if bytes.len() == LEN && text.len() == BASE64.encode_len(LEN) => {
                key.copy_from_slice(&bytes)
            }
            _ => return Err(SignerError::MalformedMasterKey),
        }
        Ok(Self(key))
    }

    /// Reads a master key file.
    ///
    /// # Errors
    /// When it cannot be read, is not a master key, or can be read by others than its owner.
    pub fn read(path: &Path) -> Result<Self, SignerError> {
        let failed = |error| file_error(path, "read", &error);
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let mode = metadata.mode() & 0o7777;
        if mode & exposing(metadata.uid(), rustix::process::geteuid().as_raw()) != 0 {
            return Err(SignerError::MasterKeyExposed { path: path.display().to_string(), mode });
        }
        // Room for the longest well-formed file and one byte more, so that a longer one is noticed.
        let mut text = Zeroizing::new(String::with_capacity(64));
        file.take(64).read_to_string(&mut text).map_err(failed)?;
        Self::from_base64(&text)
    }

    /// Makes a new master key in a new file that only its owner can read.
    ///
    /// The file appears whole or not at all, also if the machine stops half-way, and also to another process
    /// that makes one at the same time: exactly one of the two succeeds.
    ///
    /// # Errors
    /// When there is such a file already, or it cannot be written.
    pub fn create(path: &Path) -> Result<Self, SignerError> {
        let key = Self::generate();
        key.write(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => SignerError::MasterKeyExists { path: path.display().to_string() },
            _ => file_error(path, "created", &error),
        })?;
        Ok(key)
    }

    /// The bytes of the key.
    pub(super) fn bytes(&self) -> &[u8; LEN] {
        &self.0
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let draft = Draft::new(folder)?;
        let mut text = Zeroizing::new(BASE64.encode(self.bytes()));
        text.push('\n');
        (&draft.file).write_all(text.as_bytes())?;
        draft.file.sync_all()?;
        // A link, other than a rename, fails if the name is taken.
        fs::hard_link(&draft.path, path)?;
        drop(draft);
        File::open(folder)?.sync_all()
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

/// A file under a name of its own, removed when dropped.
struct Draft {
    path: PathBuf,
    file: File,
}

impl Draft {
    fn new(folder: &Path) -> io::Result<Self> {
        let mut name = [0; 8];
        rand::fill(&mut name).map_err(io::Error::other)?;
        let path = folder.join(format!(".master-{}", HEXLOWER.encode(&name)));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { path, file })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // A draft that stays behind is a stray file that nothing ever reads.
        let _ = fs::remove_file(&self.path);
    }
}

/// The permissions by which a file is open to others, given its owner and who reads it. A group may read
/// what root has set up for this process: so does systemd show the right that LoadCredential= gives.
fn exposing(owner: u32, reader: u32) -> u32 {
    const ROOT: u32 = 0;
    if owner == ROOT && reader != ROOT { 0o037 } else { 0o077 }
}

fn file_error(path: &Path, action: &'static str, error: &io::Error) -> SignerError {
    SignerError::MasterKeyFile { path: path.display().to_string(), action, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_may_read_only_what_root_has_set_up_for_somebody_else() {
        assert_eq!((exposing(0, 1000) & 0o440, exposing(0, 1000) & 0o444), (0, 0o004));
        for (owner, reader) in [(0, 0), (1000, 1000), (1000, 0), (1000, 1001)] {
            assert_eq!(exposing(owner, reader) & 0o440, 0o040, "{owner} {reader}");
        }
    }
}
