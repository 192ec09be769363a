//! Files that hold secrets, read into memory that is wiped afterwards.

use std::{fs::File, io, path::Path};

use anyhow::{Result, anyhow, bail};
use zeroize::Zeroizing;

use crate::signer::read_secret;

/// One byte more than the largest key file; reading stops there.
const MAX_FILE: usize = (1 << 20) + 1;

/// Whether the path stands for standard input.
pub fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// The name of a file in messages.
pub fn name(path: &Path) -> String {
    if is_stdin(path) { "standard input".to_owned() } else { format!("'{}'", path.display()) }
}

/// Reads a file, a pipe or, for `-`, standard input.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    if is_stdin(path) {
        return read_secret(io::stdin().lock(), MAX_FILE).map_err(unreadable);
    }
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        bail!("it cannot be read: Is a directory (name the files in it)");
    }
    // Only a regular file has a known size.
    let size = usize::try_from(metadata.len()).unwrap_or(MAX_FILE).saturating_add(1);
    let size = if metadata.is_file() { size.min(MAX_FILE) } else { MAX_FILE };
    read_secret(file, size).map_err(unreadable)
}

fn unreadable(error: io::Error) -> anyhow::Error {
    anyhow!("it cannot be read: {error}")
}
