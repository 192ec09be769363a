//! Where `export -o` writes. A regular file appears complete or not at all. Anything else (a device, a named
//! pipe, an open descriptor) is written to directly, and not replaced.

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

/// What a path leads to, after its symbolic links.
enum Target {
    /// A regular file, with its metadata if it exists.
    File(PathBuf, Option<Metadata>),
    /// A device, a named pipe, a socket.
    Special,
    /// A file that a process has open, such as `/dev/stdout` or `/dev/fd/3`. The number is for this process.
    Descriptor(Option<u32>),
}

impl<'a> Output<'a> {
    /// Finds out what `path` leads to.
    ///
    /// # Errors
    /// When `path` is a folder or a file of the database, or its metadata cannot be read.
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

    /// Calls `write` with the output. If that fails, a regular file stays as it was.
    pub fn write(self, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
        match &self.target {
            Target::File(target, old) => self.replace(target, old.as_ref(), write),
            Target::Special => self.write_through(File::options().write(true).open(self.path), write),
            // Opening the file again would overwrite it from its start.
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
            // A rename would replace even a read-only file: check that we may write to it.
            File::options().write(true).open(target).map_err(failed)?;
        }
        let folder = parent(target);
        let mut draft = NamedTempFile::new_in(folder).map_err(failed)?;
        write(draft.as_file_mut())?;
        old.map_or(Ok(()), |old| be_as_open_as(draft.as_file(), old)).map_err(failed)?;
        draft.as_file().sync_all().map_err(failed)?;
        // If we die here, the name leads to the old file or to the new one. Both are complete.
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

/// Follows symbolic links, even one whose target does not exist yet.
fn resolve(path: &Path) -> io::Result<Target> {
    if path == Path::new("-") {
        return Ok(Target::Descriptor(Some(1)));
    }
    let mut path = path.to_owned();
    // The kernel follows 40 links. If there are more, `metadata` fails below.
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

/// `/proc/PID/fd/N` looks like a link to the open file. The processes that have the file open would not see a
/// file that replaced it.
fn descriptor(path: &Path) -> Option<Target> {
    let number = path.file_name()?.to_str()?.parse().ok()?;
    let folder = parent(path).canonicalize().ok()?;
    let is_own = Path::new("/proc/self/fd").canonicalize().is_ok_and(|own| own == folder);
    (folder.starts_with("/proc") && folder.ends_with("fd"))
        .then(|| Target::Descriptor(is_own.then_some(number)))
}

/// The folder of a file.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whether the file belongs to the SQLite database, under any name.
fn is_of_database(file: &Metadata, database: &DatabaseUrl) -> bool {
    let DatabaseUrl::Sqlite(database) = database else { return false };
    ["", "-wal", "-shm", ".master", ".master.next"].into_iter().any(|ending| {
        let mut path = database.clone().into_os_string();
        path.push(ending);
        fs::metadata(path).is_ok_and(|own| (own.dev(), own.ino()) == (file.dev(), file.ino()))
    })
}

/// Gives the new file the owner and permissions of the old one. If the group cannot be kept, its rights are dropped.
fn be_as_open_as(new: &File, old: &Metadata) -> io::Result<()> {
    let is_kept = fchown(new, Some(old.uid()), Some(old.gid())).is_ok();
    let mode = old.mode() & if is_kept { 0o777 } else { 0o707 };
    new.set_permissions(Permissions::from_mode(mode))
}

fn cannot_write(path: &Path, error: io::Error) -> anyhow::Error {
    let text = format!(
        "cannot write '{}': {error}; check the permissions and the free space of its folder, or write with \
         'signwave export > FILE'",
        path.display()
    );
    anyhow::Error::new(error).context(text)
}
