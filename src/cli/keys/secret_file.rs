//! Files with secrets in them, read into memory that is wiped afterwards.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use anyhow::{Result, anyhow, bail};
use zeroize::Zeroizing;

/// No key file is larger; reading stops behind it.
const MAX_FILE: usize = (1 << 20) + 1;

/// Whether standard input is meant.
pub fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// What a file is called in messages.
pub fn name(path: &Path) -> String {
    if is_stdin(path) { "standard input".to_owned() } else { format!("'{}'", path.display()) }
}

/// Reads a file, a pipe or, for `-`, standard input.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    if is_stdin(path) {
        return contents(io::stdin().lock(), MAX_FILE).map_err(unreadable);
    }
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        bail!("it cannot be read: Is a directory (name the files in it)");
    }
    // Only a regular file has a size that is known.
    let size = usize::try_from(metadata.len()).unwrap_or(MAX_FILE).saturating_add(1);
    let size = if metadata.is_file() { size.min(MAX_FILE) } else { MAX_FILE };
    contents(file, size).map_err(unreadable)
}

fn unreadable(error: io::Error) -> anyhow::Error {
    anyhow!("it cannot be read: {error}")
}

/// Reads at most `size` bytes. The memory never grows, which would leave copies.
fn contents(input: impl Read, size: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(size));
    input.take(size as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
