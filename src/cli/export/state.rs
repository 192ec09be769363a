//! The file in which an export keeps its position.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow};
use tempfile::NamedTempFile;

use super::output::parent;
use crate::domain::Position;

/// A file that holds a position, or will.
pub struct State {
    path: PathBuf,
}

impl State {
    /// The file at `path`, after its symbolic links.
    pub fn at(path: &Path) -> Self {
        Self { path: path.canonicalize().unwrap_or_else(|_| path.to_owned()) }
    }

    /// The position; `None` if there is no such file.
    pub fn read(&self) -> Result<Option<Position>> {
        let shown = self.path.display();
        let read = File::open(&self.path).and_then(|file| {
            let mut text = String::new();
            file.take(Position::LONGEST as u64 + 2).read_to_string(&mut text)?;
            Ok(text)
        });
        let text = match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(anyhow!("cannot read the position in '{shown}': {error}")),
            Ok(text) => text,
        };
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let position = line.parse().map_err(|_| {
            anyhow!("'{shown}' does not hold a position that an export has written: name another file, or delete this one")
        })?;
        Ok(Some(position))
    }

    /// Replaces the file. Callers must have written out everything before the position.
    pub fn write(&self, position: Position) -> Result<()> {
        let replace = || {
            let folder = parent(&self.path);
            let mut draft = NamedTempFile::new_in(folder)?;
            writeln!(draft, "{position}")?;
            draft.as_file().sync_all()?;
            // If we die here, the file has the position before, and the rows behind it are written once more.
            draft.persist(&self.path).map_err(|error| error.error)?;
            fs::File::open(folder)?.sync_all()
        };
        replace().map_err(|error| {
            let shown = self.path.display();
            anyhow!("cannot write the position to '{shown}': {error}; check the permissions and the free space of its folder")
        })
    }
}
