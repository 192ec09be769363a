//! All anchors of one database, and what this process knows of it.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, MutexGuard},
};

use super::{
    AnchorError,
    anchor_file::AnchorFile,
    line::Line,
    memory::Memory,
    state::{Shared, State},
    syncing::Syncing,
};
use crate::domain::ledger::{Head, Origin};

/// Every anchor that this process writes, none to any number. Without files it remembers what this process saw, so that a
/// database which goes back in time under a running process is noticed.
pub struct Anchors {
    shared: Arc<Shared>,
    /// Syncs what no commit has synced.
    _syncing: Option<Syncing>,
}

/// What to do about a file that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Make it. It knows nothing, so the database may be of any age.
    Create,
    /// Refuse to go on.
    Refuse,
}

impl Anchors {
    /// Opens the anchors of a ledger, and reads what they remember. Files have the mode 0600. No other process can open
    /// them to write until these anchors are dropped.
    ///
    /// # Errors
    /// When a file is missing and may not be made, cannot be used, is damaged or belongs to another ledger.
    pub fn open(paths: &[PathBuf], origin: Origin, missing: Missing) -> Result<Self, AnchorError> {
        let mut state = State::default();
        for path in paths {
            let (file, remembered) = AnchorFile::open(path, origin, missing == Missing::Create)?;
            state.memory.add(&remembered);
            state.files.push(file);
        }
        let shared = Arc::new(Shared::new(state));
        let start = |path: &PathBuf| Syncing::start(&shared).map_err(|error| AnchorError::io(path, &error));
        let syncing = paths.first().map(start);
        Ok(Self { shared, _syncing: syncing.transpose()? })
    }

    /// The heads that a database must have: one, except after a start with several files that differ.
    pub fn known(&self) -> Vec<Head> {
        self.state().memory.known().to_vec()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    /// Changes what is known, and says so in all files. The line is synced soon.
    pub(super) fn update(&self, change: impl FnOnce(&mut Memory) -> Option<Line>) {
        let mut state = self.state();
        if let Some(line) = change(&mut state.memory) {
            state.append(&line);
            self.shared.wake.notify_one();
        }
    }
}

impl fmt::Debug for Anchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anchors").finish_non_exhaustive()
    }
}
