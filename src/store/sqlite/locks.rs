//! Lock files: a node's process holds one for as long as it lives, and the kernel releases it when the process
//! dies, however it dies. Without them (a file system that has no locks, a file that somebody deleted) a dead
//! node is noticed when its lease runs out.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::domain::NodeId;

/// The locks that this process holds. Dropping this releases them.
///
/// Files are closed on exec, as Rust opens them, so that no child keeps a dead node alive.
#[derive(Debug)]
pub(super) struct NodeLocks {
    database: PathBuf,
    held: Mutex<HashMap<NodeId, File>>,
}

impl NodeLocks {
    pub(super) fn new(database: &Path) -> Self {
        Self { database: database.to_owned(), held: Mutex::default() }
    }

    /// Locks the file of a node that no other process can know of yet, if the file system has locks.
    pub(super) fn hold(&self, node: NodeId) {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(self.path(node)).map(|file| (file.try_lock(), file)) {
            Ok((Ok(()), file)) => {
                self.held().insert(node, file);
            }
            // A file that nobody can lock would look like a dead process.
            _ => self.remove_file(node),
        }
    }

    /// Releases a node's lock, so that its process looks dead.
    pub(super) fn let_go(&self, node: NodeId) {
        self.held().remove(&node);
    }

    /// Deletes the file of a node that was removed, and releases its lock if this process holds it.
    pub(super) fn forget(&self, node: NodeId) {
        self.remove_file(node);
        self.let_go(node);
    }

    /// The lock of a node whose process is gone: proof of its death as long as it is kept. `None`
    /// when the process lives, or when files cannot tell.
    pub(super) fn take_from_dead(&self, node: NodeId) -> Option<File> {
        let file = OpenOptions::new().read(true).write(true).open(self.path(node)).ok()?;
        match file.try_lock() {
            Ok(()) => Some(file),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
        }
    }

    fn path(&self, node: NodeId) -> PathBuf {
        let mut name = self.database.clone().into_os_string();
        name.push(format!(".node-{node}.lock"));
        name.into()
    }

    fn remove_file(&self, node: NodeId) {
        // A file that stays behind is harmless: no id is used twice.
        let _ = std::fs::remove_file(self.path(node));
    }

    fn held(&self) -> MutexGuard<'_, HashMap<NodeId, File>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
