//! One file: lines are appended and synced so that a failure leaves what was there before.

use std::{
    fs::{self, File, Metadata, OpenOptions, TryLockError},
    io::{self, ErrorKind},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{
    AnchorError,
    line::{MAX_HEADER, header, origin_of},
    tail::{Remembered, remembered},
};
use crate::domain::ledger::Origin;

/// An anchor that this process may write. Others cannot open it to write as long as this lives.
pub(super) struct AnchorFile {
    path: PathBuf,
    file: File,
    /// How many bytes are on the disk for certain.
    synced: u64,
    /// The lines that belong behind these bytes.
    tail: Vec<u8>,
    /// How many bytes of the tail are written.
    written: usize,
    /// Whether the file may have something else behind the bytes that are on the disk for certain: part of a line, or what
    /// a failed sync has left.
    is_doubtful: bool,
}

impl AnchorFile {
    /// Opens the anchor of a ledger, and says what it remembers, unless another incarnation came after this. With `create` a file that is not there is made, and one
    /// whose first line was never completed is begun again.
    pub(super) fn open(path: &Path, origin: Origin, create: bool) -> Result<(Self, Remembered), AnchorError> {
        let (file, remembered) = Self::open_to_end(path, origin, create)?;
        match remembered.succeeded {
            Some(by) => Err(AnchorError::Succeeded { anchor: path.into(), by }),
            None => Ok((file, remembered)),
        }
    }

    /// As [`open`](Self::open), also if another incarnation came after this.
    pub(super) fn open_to_end(
        path: &Path,
        origin: Origin,
        create: bool,
    ) -> Result<(Self, Remembered), AnchorError> {
        let failed = |error: io::Error| AnchorError::io(path, &error);
        match fs::metadata(path) {
            Ok(found) if !found.is_file() => return Err(AnchorError::NotAFile(path.into())),
            Err(error) if error.kind() == ErrorKind::NotFound && create => {}
            Err(error) => return Err(AnchorError::opening(path, &error)),
            Ok(_) => {}
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(create).truncate(false).mode(0o600);
        let file = options.open(path).map_err(failed)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => AnchorError::InUse(path.into()),
            TryLockError::Error(error) => failed(error),
        })?;
        let begin = match begin_of(&file, path, origin)? {
            Some(begin) => begin,
            None if create => begin_anew(&file, path, origin).map_err(failed)?,
            None => return Err(AnchorError::Missing(path.into())),
        };
        let remembered = remembered(&file, begin, path)?;
        // What was read may be in memory only, if the process before this one was killed.
        file.set_len(remembered.end).and_then(|()| file.sync_all()).map_err(failed)?;
        let synced = remembered.end;
        let path = path.to_owned();
        Ok((Self { path, file, synced, tail: Vec::new(), written: 0, is_doubtful: false }, remembered))
    }

    /// Appends lines, and syncs them together with all that was appended before.
    ///
    /// # Errors
    /// Then the lines will not be in the file, though some or all of them may be in it until it is next written.
    pub(super) fn append_synced(&mut self, lines: &str) -> Result<(), AnchorError> {
        let kept = self.tail.len();
        self.tail.extend_from_slice(lines.as_bytes());
        self.is_in_place().and_then(|()| self.sync()).inspect_err(|_| {
            self.tail.truncate(kept);
            self.is_doubtful = true;
        })
    }

    /// Whether the file still has its name: the lines of one that was moved or deleted would not be found.
    fn is_in_place(&self) -> Result<(), AnchorError> {
        let id = |found: Metadata| (found.dev(), found.ino());
        match (fs::metadata(&self.path).map(id), self.file.metadata().map(id)) {
            (Ok(named), Ok(open)) if named == open => Ok(()),
            _ => Err(AnchorError::Replaced(self.path.as_path().into())),
        }
    }

    /// Appends lines. If that fails, they are written with what comes next.
    pub(super) fn append(&mut self, lines: &str) {
        self.tail.extend_from_slice(lines.as_bytes());
        // Nothing depends on these lines yet.
        let _: io::Result<()> = self.write();
    }

    /// Syncs what was appended.
    pub(super) fn sync(&mut self) -> Result<(), AnchorError> {
        let synced = self.write().and_then(|()| {
            if self.tail.is_empty() {
                return Ok(());
            }
            // After a sync that failed, the next one can succeed without the bytes on the disk: they are written again.
            self.is_doubtful = true;
            self.file.sync_data()
        });
        synced.map_err(|error| AnchorError::io(&self.path, &error))?;
        self.synced += self.tail.len() as u64;
        self.tail.clear();
        (self.written, self.is_doubtful) = (0, false);
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        if self.is_doubtful {
            // The end is on the disk before something else is written behind it.
            self.file.set_len(self.synced)?;
            self.file.sync_all()?;
            (self.written, self.is_doubtful) = (0, false);
        }
        let rest = &self.tail[self.written..];
        if !rest.is_empty() {
            self.is_doubtful = true;
            self.file.write_all_at(rest, self.synced + self.written as u64)?;
            (self.written, self.is_doubtful) = (self.tail.len(), false);
        }
        Ok(())
    }
}

impl Drop for AnchorFile {
    fn drop(&mut self) {
        // Closing the file would leave it locked as long as a process that is just being started has it, too.
        let _: io::Result<()> = self.file.unlock();
    }
}

/// The length of the first line; `None` if it was never completed.
fn begin_of(file: &File, path: &Path, origin: Origin) -> Result<Option<u64>, AnchorError> {
    let line = first_line(file).map_err(|error| AnchorError::io(path, &error))?;
    match line.strip_suffix('\n').map(origin_of) {
        Some(Some(found)) if found == origin => Ok(Some(line.len() as u64)),
        Some(Some(found)) => Err(AnchorError::OtherOrigin { anchor: path.into(), found, expected: origin }),
        None if header(origin).starts_with(&line) => Ok(None),
        _ => Err(AnchorError::NotAnAnchor(path.into())),
    }
}

/// The first line of an anchor with its LF, or as much as there is of it.
pub(super) fn first_line(file: &File) -> io::Result<String> {
    let mut buffer = [0; MAX_HEADER];
    let mut length = 0;
    while length < buffer.len() {
        match file.read_at(&mut buffer[length..], length as u64) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let end = buffer[..length].iter().position(|byte| *byte == b'\n').map_or(length, |lf| lf + 1);
    Ok(String::from_utf8_lossy(&buffer[..end]).into_owned())
}

/// Writes the first line. It is complete only after the folder knows the file.
fn begin_anew(file: &File, path: &Path, origin: Origin) -> io::Result<u64> {
    sync_folder(path)?;
    let line = header(origin);
    file.set_len(0)?;
    file.write_all_at(line.as_bytes(), 0)?;
    file.sync_all()?;
    Ok(line.len() as u64)
}

/// Syncs the folder of a file, so that it has the file by its name.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
