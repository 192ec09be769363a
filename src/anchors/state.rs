//! The files and the memory of all anchors, behind one lock.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::{AnchorError, anchor_file::AnchorFile, line::Line, memory::Memory};
use crate::domain::ledger::Head;

/// What the threads of a process share.
#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Is notified when something was appended, and at the end.
    pub(super) wake: Condvar,
}

/// What the lock protects.
#[derive(Default)]
pub(super) struct State {
    pub(super) memory: Memory,
    pub(super) files: Vec<AnchorFile>,
    /// Whether something was appended since the last sync.
    pub(super) is_dirty: bool,
    /// Whether the anchors are being closed.
    pub(super) is_over: bool,
}

impl Shared {
    pub(super) fn new(state: State) -> Self {
        Self { state: Mutex::new(state), wake: Condvar::new() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Appends a line to all files, to be synced soon.
    pub(super) fn append(&mut self, line: &Line) {
        self.files.iter_mut().for_each(|file| file.append(&format!("{line}\n")));
        self.is_dirty = true;
    }

    /// Writes the lines of an intent into all files, and syncs them.
    ///
    /// # Errors
    /// Then no file has the intent, or says that it came to nothing.
    pub(super) fn intend(
        &mut self,
        checked: &[Head],
        current: Head,
        next: Head,
        lines: &str,
    ) -> Result<(), AnchorError> {
        self.memory.intend(checked, current, next);
        let mut files = self.files.iter_mut().enumerate();
        let failed = files.find_map(|(i, file)| Some((i, file.append_synced(lines).err()?)));
        self.is_dirty = failed.is_some();
        let Some((written, error)) = failed else { return Ok(()) };
        self.memory.close(next);
        let line = format!("{}\n", Line::RolledBack { size: next.size });
        self.files[..written].iter_mut().for_each(|file| file.append(&line));
        Err(error)
    }

    /// Syncs all files, as far as that works.
    pub(super) fn sync(&mut self) {
        self.is_dirty = false;
        for error in self.files.iter_mut().filter_map(|file| file.sync().err()) {
            // Nothing is lost: the lines are written again with the next ones.
            log::warn!("{error}");
        }
    }
}
