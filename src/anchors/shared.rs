//! What the threads of a process share: the memory, and the files.

use std::{
    slice,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use super::{
    AnchorError,
    line::{Line, text},
    medium::Medium,
    memory::Memory,
};
use crate::domain::ledger::Head;

/// The memory can be asked at any time, also while a disk takes long. Where both locks are held, that of the files was
/// taken first, so the lines of the files come in the order in which the memory changed.
#[derive(Default)]
pub(super) struct Shared {
    memory: Mutex<Memory>,
    files: Mutex<Files>,
    /// Is notified when something was appended, and at the end.
    pub(super) wake: Condvar,
}

/// All files, which say the same from when they were opened on.
#[derive(Default)]
pub(super) struct Files {
    all: Vec<Medium>,
    /// Whether something was appended since the last sync.
    pub(super) is_dirty: bool,
    /// Whether the anchors are being closed.
    pub(super) is_over: bool,
}

impl Shared {
    pub(super) fn new(memory: Memory, all: Vec<Medium>) -> Self {
        let files = Files { all, ..Files::default() };
        Self { memory: Mutex::new(memory), files: Mutex::new(files), wake: Condvar::new() }
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known, and says so in all files. The line is synced soon.
    pub(super) fn update(&self, change: impl FnOnce(&mut Memory) -> Option<Line>) {
        let mut files = self.files();
        let line = change(&mut self.memory());
        if let Some(line) = line {
            files.append(&[line]);
            self.wake.notify_one();
        }
    }

    /// Says in all files what the database was seen to have. They have these lines before any that is written from now on.
    pub(super) fn note(&self, lines: &[Line]) {
        if lines.is_empty() {
            return;
        }
        self.files().append(lines);
        self.wake.notify_one();
    }

    /// Writes the lines of an intent into all files, and syncs them.
    ///
    /// # Errors
    /// Then no file has the intent, or says that it came to nothing.
    pub(super) fn intend(
        &self,
        checked: &[Head],
        current: Head,
        next: Head,
        lines: &str,
    ) -> Result<(), AnchorError> {
        let mut files = self.files();
        self.memory().intend(checked, current, next);
        files.append_synced(lines, &Line::RolledBack { size: next.size }).inspect_err(|_| {
            self.memory().close(next);
            self.wake.notify_one();
        })
    }
}

impl Files {
    /// Appends lines to all files, to be synced soon.
    fn append(&mut self, lines: &[Line]) {
        let lines = text(lines);
        self.all.iter_mut().for_each(|file| file.append(&lines));
        self.is_dirty = true;
    }

    /// Appends lines to all files, and syncs them. If that fails, the files that have them get the line `revoked`.
    fn append_synced(&mut self, lines: &str, revoked: &Line) -> Result<(), AnchorError> {
        let mut files = self.all.iter_mut().enumerate();
        let revoked = text(slice::from_ref(revoked));
        let failed = files.find_map(|(i, file)| Some((i, file.append_synced(lines, &revoked).err()?)));
        self.is_dirty = failed.is_some();
        let Some((written, error)) = failed else { return Ok(()) };
        self.all[..written].iter_mut().for_each(|file| file.append(&revoked));
        Err(error)
    }

    /// Syncs all files, as far as that works.
    pub(super) fn sync(&mut self) {
        self.is_dirty = false;
        for error in self.all.iter_mut().filter_map(|file| file.sync().err()) {
            // Nothing is lost: the lines are written again with the next ones.
            log::warn!("{error}");
        }
    }
}
