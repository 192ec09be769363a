//! The master key, which seals the private keys in the database, and its file.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use aws_lc_rs::rand;
use data_encoding::{BASE64, HEXLOWER};
use rustix::fs::StatVfsMountFlags;
use zeroize::Zeroizing;

use super::{MasterKeyId, SignerError, hash, read_secret};
use crate::domain::DigestAlgorithm;

const LEN: usize = 32;
/// How many bytes are read at most.
const MAX_TEXT: usize = 256;

/// 32 random bytes, wiped when dropped. The master key and the database together give access to every private key.
pub struct MasterKey(Zeroizing<[u8; LEN]>);

impl MasterKey {
    /// A new master key from the system's random generator.
    ///
    /// # Panics
    /// If the random generator fails, because no secret can be made without it.
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; LEN]);
        rand::fill(bytes.as_mut_slice()).expect("the random generator works");
        Self(bytes)
    }

    /// Reads 32 bytes in base64 (RFC 4648, section 4), with or without a newline at the end.
    ///
    /// # Errors
    /// For any other text, with the probable mistake.
    pub fn from_base64(text: &str) -> Result<Self, SignerError> {
        Self::from_text(text.as_bytes())
    }

    fn from_text(text: &[u8]) -> Result<Self, SignerError> {
        let line = text.strip_suffix(b"\n").unwrap_or(text);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let bytes = BASE64.decode(line).map(Zeroizing::new);
        let mut key = Zeroizing::new([0; LEN]);
        match bytes {
            // The decoder accepts several padded texts in a row; the check of the length refuses them.
            Ok(bytes) if bytes.len() == LEN && line.len() == BASE64.encode_len(LEN) => {
                key.copy_from_slice(&bytes)
            }
            _ => return Err(SignerError::MalformedMasterKey(flaw(text))),
        }
        Ok(Self(key))
    }

    /// Reads a master key file, or a pipe.
    ///
    /// # Errors
    /// When the file cannot be read, is not a master key, or can be read by users other than its owner.
    pub fn read(path: &Path) -> Result<Self, SignerError> {
        let failed = |error| file_error(path, "read", &error);
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(SignerError::MasterKeyFolder { path: path.display().to_string() });
        }
        let mode = metadata.mode() & 0o7777;
        // A pipe leaves nothing behind that other users could read.
        if metadata.is_file() && mode & exposing(metadata.uid()) != 0 {
            let path = path.display().to_string();
            return Err(if may_be_changed(&file, metadata.uid()) {
                SignerError::MasterKeyExposed { path, mode }
            } else {
                SignerError::MasterKeyMountedOpen { path, mode }
            });
        }
        Self::read_from(file).map_err(failed)?
    }

    /// Reads a master key from an open input.
    ///
    /// # Errors
    /// The outer error when the input cannot be read, the inner error when it is not a master key.
    pub fn read_from(input: impl Read) -> io::Result<Result<Self, SignerError>> {
        // There is room for more than a key, so that the error can say what the input is.
        Ok(Self::from_text(&read_secret(input, MAX_TEXT)?))
    }

    /// Makes a new master key in a new file that only its owner can read.
    ///
    /// The file appears complete or not at all, even if the machine stops half-way. If two processes create the
    /// file at the same time, exactly one of them succeeds.
    ///
    /// # Errors
    /// When the file exists already, or cannot be written.
    pub fn create(path: &Path) -> Result<Self, SignerError> {
        let key = Self::generate();
        key.write(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => SignerError::MasterKeyExists { path: path.display().to_string() },
            _ => file_error(path, "created", &error),
        })?;
        Ok(key)
    }

    /// The key in base64 with a newline, which [`from_base64`](Self::from_base64) reads.
    pub fn to_base64(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(BASE64.encode_len(LEN) + 1));
        BASE64.encode_append(self.bytes(), &mut text);
        text.push('\n');
        text
    }

    /// The id, which each key that is sealed under this master key carries. It does not reveal the key.
    pub fn id(&self) -> MasterKeyId {
        let text = Zeroizing::new([b"signwave master key id\0", self.0.as_slice()].concat());
        let digest = hash::digest(DigestAlgorithm::Sha256, &text);
        MasterKeyId(*digest.as_bytes().first_chunk().expect("SHA-256 has 32 bytes"))
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
        (&draft.file).write_all(self.to_base64().as_bytes())?;
        draft.file.sync_all()?;
        // A link fails if the name is taken; a rename would overwrite the file.
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

/// A file under a random name, removed when dropped.
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
        // A draft that cannot be removed is harmless, because nothing reads it.
        let _ = fs::remove_file(&self.path);
    }
}

const ROOT: u32 = 0;

/// The permission bits that expose a file to other users, given its owner. A group may read a file of root, because
/// systemd (LoadCredential=) and Kubernetes (fsGroup of a pod) grant access in this way.
pub(super) fn exposing(owner: u32) -> u32 {
    if owner == ROOT { 0o037 } else { 0o077 }
}

/// Whether this process could close the file to others.
fn may_be_changed(file: &File, owner: u32) -> bool {
    let user = rustix::process::geteuid().as_raw();
    let is_read_only =
        rustix::fs::fstatvfs(file).is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::RDONLY));
    !is_read_only && (user == ROOT || user == owner)
}

/// What is wrong with a text that is not a master key. The answer contains nothing of the text.
fn flaw(text: &[u8]) -> &'static str {
    let word = text.trim_ascii();
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    match word {
        [] => "it is empty",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            "it is UTF-16 text; convert it with 'iconv -f UTF-16 -t ASCII'"
        }
        [0xef, 0xbb, 0xbf, ..] => "it begins with a byte order mark; remove it",
        word if word.len() == 2 * LEN && word.iter().all(u8::is_ascii_hexdigit) => {
            "it is hexadecimal; convert it with 'xxd -r -p | base64'"
        }
        _ if text.len() == LEN && !text.iter().all(u8::is_ascii_graphic) => {
            "it is 32 raw bytes; convert them with 'base64'"
        }
        word if word.len() == 43 && word.iter().all(is_base64) => "the '=' at its end is missing",
        word if word.len() >= 43 && word.iter().any(|byte| matches!(byte, b'-' | b'_')) && is_line(word) => {
            "it is base64url; replace each '-' by '+' and each '_' by '/'"
        }
        word if word.len() == 44 && word.iter().all(is_base64) => {
            "there are spaces or empty lines around it; remove them"
        }
        word if word.starts_with(b"-----BEGIN") => "it is PEM, perhaps of a private key",
        _ => "its format is unknown",
    }
}

fn is_line(word: &[u8]) -> bool {
    word.len() <= 44 && word.iter().all(u8::is_ascii_graphic)
}

fn file_error(path: &Path, action: &'static str, error: &io::Error) -> SignerError {
    SignerError::MasterKeyFile { path: path.display().to_string(), action, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_may_read_only_what_root_has_set_up() {
        assert_eq!((exposing(ROOT) & 0o440, exposing(ROOT) & 0o444, exposing(ROOT) & 0o020), (0, 4, 0o020));
        assert_eq!(exposing(1000) & 0o440, 0o040);
    }
}
