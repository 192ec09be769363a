//! Looking at files without opening them, because closing one would drop SQLite's locks.

use std::{
    io,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, Statx, StatxAttributes, StatxFlags, statx},
    io::Errno,
};

use crate::store::StoreError;

/// The name that all processes find by following links.
pub(super) fn canonical(path: &Path) -> Result<PathBuf, StoreError> {
    path.canonicalize().map_err(|error| StoreError::Unavailable(error.to_string()))
}

/// Which file it is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileId {
    device: (u32, u32),
    inode: u64,
}

impl FileId {
    pub(super) fn bytes(self) -> [u8; 16] {
        let device = u64::from(self.device.0) << 32 | u64::from(self.device.1);
        (u128::from(device) << 64 | u128::from(self.inode)).to_be_bytes()
    }
}

/// A file as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) id: FileId,
    /// How many names it has.
    pub(super) links: u32,
    /// Whether the file by itself was mounted here, from another folder.
    pub(super) is_mount: bool,
    pub(super) size: u64,
    /// When its content was changed last.
    pub(super) changed: (i64, u32),
}

/// The file at `path`, if there is one.
pub(super) fn look(path: &Path) -> io::Result<Option<Seen>> {
    match statx(CWD, path, AtFlags::empty(), StatxFlags::BASIC_STATS) {
        Ok(found) => Ok(Some(seen(&found))),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The open file.
pub(super) fn look_at(file: &std::fs::File) -> io::Result<Seen> {
    Ok(seen(&statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)?))
}

fn seen(found: &Statx) -> Seen {
    Seen {
        id: FileId { device: (found.stx_dev_major, found.stx_dev_minor), inode: found.stx_ino },
        links: found.stx_nlink,
        is_mount: found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        size: found.stx_size,
        changed: (found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec),
    }
}
