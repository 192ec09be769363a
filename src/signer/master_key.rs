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
use rustix::fs::StatVfsMountFlags;
use zeroize::Zeroizing;

use super::SignerError;

const LEN: usize = 32;
/// The most that is read.
const MAX_TEXT: usize = 256;

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
    /// For any other text, with what is probably wrong with it.
    pub fn from_base64(text: &str) -> Result<Self, SignerError> {
        Self::from_text(text.as_bytes())
    }

    fn from_text(text: &[u8]) -> Result<Self, SignerError> {
        let line = text.strip_suffix(b"\n").unwrap_or(text);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let bytes = BASE64.decode(line).map(Zeroizing::new);
        let mut key = Zeroizing::new([0; LEN]);
        match bytes {
            // The decoder takes several texts in a row, each with its padding: not here.
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
    /// When it cannot be read, is not a master key, or can be read by others than its owner.
    pub fn read(path: &Path) -> Result<Self, SignerError> {
        let failed = |error| file_error(path, "read", &error);
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(SignerError::MasterKeyFolder { path: path.display().to_string() });
        }
        let mode = metadata.mode() & 0o7777;
        // Of a pipe nothing is left that others could read.
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
    /// The outer one when it cannot be read, the inner one when it is not a master key.
    pub fn read_from(input: impl Read) -> io::Result<Result<Self, SignerError>> {
        // Room for more than any key takes, so that what else it is can be told. It never grows.
        let mut text = Zeroizing::new(Vec::with_capacity(MAX_TEXT));
        input.take(MAX_TEXT as u64).read_to_end(&mut text)?;
        Ok(Self::from_text(&text))
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

    /// The key in base64 with a newline, which [`from_base64`](Self::from_base64) reads.
    pub fn to_base64(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(BASE64.encode_len(LEN) + 1));
        BASE64.encode_append(self.bytes(), &mut text);
        text.push('\n');
        text
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

const ROOT: u32 = 0;

/// The permissions by which a file is open to others, given its owner. A group may read what root has set up:
/// so does systemd show the right that LoadCredential= gives, and Kubernetes that of a pod's fsGroup.
fn exposing(owner: u32) -> u32 {
    if owner == ROOT { 0o037 } else { 0o077 }
}

/// Whether this process could close the file to others.
fn may_be_changed(file: &File, owner: u32) -> bool {
    let user = rustix::process::geteuid().as_raw();
    let is_read_only =
        rustix::fs::fstatvfs(file).is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::RDONLY));
    !is_read_only && (user == ROOT || user == owner)
}

/// What a text is that is no master key. Nothing of it is repeated.
fn flaw(text: &[u8]) -> &'static str {
    let word = text.trim_ascii();
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    match word {
        [] => "it is empty",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            "it is UTF-16 text; convert it with 'iconv -f UTF-16 -t ASCII'"
        }
        [0xef, 0xbb, 0xbf, ..] => "it begins with a byte order mark, which must go",
        word if word.len() == 2 * LEN && word.iter().all(u8::is_ascii_hexdigit) => {
            "it is hexadecimal; convert it with 'xxd -r -p | base64'"
        }
        _ if text.len() == LEN && !text.iter().all(u8::is_ascii_graphic) => {
            "it is 32 raw bytes; convert them with 'base64'"
        }
        word if word.len() == 43 && word.iter().all(is_base64) => "the '=' at its end is missing",
        word if word.len() >= 43 && word.iter().any(|byte| matches!(byte, b'-' | b'_')) && is_line(word) => {
            "it is base64url; put '+' for each '-' and '/' for each '_'"
        }
        word if word.len() == 44 && word.iter().all(is_base64) => {
            "there are spaces or empty lines around it, which must go"
        }
        word if word.starts_with(b"-----BEGIN") => "it is PEM, perhaps of a private key",
        _ => "it is something else",
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
