//! Files with secrets, which other users must not be able to read.

use std::{fs::File, io, os::unix::fs::MetadataExt, path::Path};

use zeroize::Zeroizing;

use super::{SignerError, master_key::exposing, read_secret};

/// Reads at most `size` bytes of a file, through symbolic links.
///
/// # Errors
/// When the file cannot be read, is not a regular file, or is open to users other than its owner. A group may read a
/// file of root.
pub fn read_secret_file(path: &Path, size: usize) -> Result<Zeroizing<Vec<u8>>, SignerError> {
    let unreadable = |reason: String| SignerError::KeyFile { path: path.display().to_string(), reason };
    let failed = |error: io::Error| unreadable(error.to_string());
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(unreadable("it is not a regular file".to_owned()));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & exposing(metadata.uid()) != 0 {
        return Err(SignerError::KeyFileExposed { path: path.display().to_string(), mode });
    }
    let length = usize::try_from(metadata.len()).unwrap_or(size).min(size);
    read_secret(file, length.saturating_add(1).min(size)).map_err(failed)
}
