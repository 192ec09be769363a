//! Where `export -o` writes. A regular file appears whole or not at all. Whatever else has the name (a device,
//! a named pipe, an open descriptor) stays what it is, and is written to.

use std::{
    fs::{self, File, Metadata, Permissions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use tempfile::NamedTempFile;

use crate::store::DatabaseUrl;

/// An output that has not been opened yet.
pub struct Output<'a> {
    path: &'a Path,
    target: Target,
}

/// What a name stands for, at the end of its symbolic links.
enum Target {
    /// A regular file: the one that is there, or one to be made.
    File(PathBuf, Option<Metadata>),
    /// A device, a named pipe, a socket.
    Special,
    /// A file that a process has open, such as `/dev/stdout` or `/dev/fd/3`; its number if it is this process.
    Descriptor(Option<u32>),
}

impl<'a> Output<'a> {
    /// Finds out what `path` is.
    ///
    /// # Errors
    /// When it is a folder or a file of the database, or cannot be looked at.
    pub fn new(path: &'a Path, database: &DatabaseUrl) -> Result<Self> {
        let target = resolve(path).map_err(|error| cannot_write(path, error))?;
        if let Target::File(_, Some(old)) = &target {
            if old.is_dir() {
                bail!("'{}' is a folder: name a file", path.display());
            }
            if is_of_database(old, database) {
                bail!("'{}' belongs to the database itself: name another file", path.display());
            }
        }
        Ok(Self { path, target })
    }

    /// Has `write` write the output. A regular file is left as it is if that fails.
    pub fn write(self, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
        match &self.target {
            Target::File(target, old) => self.replace(target, old.as_ref(), write),
            Target::Special => self.write_through(File::options().write(true).open(self.path), write),
            // Opened anew, the file would be written over from its start.
            Target::Descriptor(Some(1)) => write(&mut io::stdout().lock()),
            Target::Descriptor(Some(2)) => write(&mut io::stderr().lock()),
            Target::Descriptor(_) => self.write_through(File::options().append(true).open(self.path), write),
        }
    }

    /// Writes a new file in the same folder, and renames it when it is complete and on the disk.
    fn replace(
        &self,
        target: &Path,
        old: Option<&Metadata>,
        write: impl FnOnce(&mut dyn Write) -> Result<()>,
    ) -> Result<()> {
        let failed = |error| cannot_write(self.path, error);
        if old.is_some() {
            // A rename does not ask whether the file itself may be written.
            File::options().write(true).open(target).map_err(failed)?;
        }
        let folder = parent(target);
        let mut draft = NamedTempFile::new_in(folder).map_err(failed)?;
        write(draft.as_file_mut())?;
        old.map_or(Ok(()), |old| be_as_open_as(draft.as_file(), old)).map_err(failed)?;
        draft.as_file().sync_all().map_err(failed)?;
        // Die here and the old file is there, or the new one, whole either way.
        draft.persist(target).map_err(|error| failed(error.error))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    fn write_through(
        &self,
        file: io::Result<File>,
        write: impl FnOnce(&mut dyn Write) -> Result<()>,
    ) -> Result<()> {
        let failed = |error| cannot_write(self.path, error);
        let mut file = file.map_err(failed)?;
        write(&mut file)?;
        match file.sync_all() {
            // Pipes and most devices have nothing to sync.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced.map_err(failed),
        }
    }
}

/// Follows symbolic links, also one whose target is not there yet.
fn resolve(path: &Path) -> io::Result<Target> {
    if path == Path::new("-") {
        return Ok(Target::Descriptor(Some(1)));
    }
    let mut path = path.to_owned();
    // As many as the kernel follows. If there are more, it says so below.
    for _ in 0..40 {
        if let Some(descriptor) = descriptor(&path) {
            return Ok(descriptor);
        }
        let Ok(next) = fs::read_link(&path) else { break };
        path = parent(&path).join(next);
    }
    match fs::metadata(&path) {
        Ok(old) if old.is_file() || old.is_dir() => Ok(Target::File(path, Some(old))),
        Ok(_) => Ok(Target::Special),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Target::File(path, None)),
        Err(error) => Err(error),
    }
}

/// `/proc/PID/fd/N` looks like a link to the file that is open. Replacing that file would not reach those who
/// have it open.
fn descriptor(path: &Path) -> Option<Target> {
    let number = path.file_name()?.to_str()?.parse().ok()?;
    let folder = parent(path).canonicalize().ok()?;
    let is_own = Path::new("/proc/self/fd").canonicalize().is_ok_and(|own| own == folder);
    (folder.starts_with("/proc") && folder.ends_with("fd"))
        .then(|| Target::Descriptor(is_own.then_some(number)))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whether the file is an SQLite database's own, by whatever name.
fn is_of_database(file: &Metadata, database: &DatabaseUrl) -> bool {
    let DatabaseUrl::Sqlite(database) = database else { return false };
    ["", "-wal", "-shm", ".master"].into_iter().any(|ending| {
        let mut path = database.clone().into_os_string();
        path.push(ending);
        fs::metadata(path).is_ok_and(|own| (own.dev(), own.ino()) == (file.dev(), file.ino()))
    })
}

/// Gives the new file the owner and permissions of the old one. If its group cannot be kept, no group may read it.
fn be_as_open_as(new: &File, old: &Metadata) -> io::Result<()> {
    let is_kept = fchown(new, Some(old.uid()), Some(old.gid())).is_ok();
    let mode = old.mode() & if is_kept { 0o777 } else { 0o707 };
    new.set_permissions(Permissions::from_mode(mode))
}

fn cannot_write(path: &Path, error: io::Error) -> anyhow::Error {
    let text = format!(
        "cannot write '{}': {error}; check the permissions and the room of its folder, or write with \
         'signwave export > FILE'",
        path.display()
    );
    anyhow::Error::new(error).context(text)
}
