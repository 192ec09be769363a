//! How a run ends by itself: everything is signed, or it cannot go on.

use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{db::is_gone, mode::Mode};
use crate::{config::SettingsError, store::StoreError};

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing is waiting any more; that many batches are in the hands of other nodes.
    Drained {
        /// Batches leased by other nodes.
        held_elsewhere: usize,
    },
    /// It cannot go on.
    Failed(RunError),
}

/// Why a run failed. Whatever it did not sign is still waiting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The settings contradict themselves.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The database says no, and will say so again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No key may sign.
    #[error(
        "there is no active key, and {waiting} records wait to be signed: 'signwave keys generate' makes keys, \
         'signwave keys list' shows why others are set aside"
    )]
    NoActiveKey {
        /// Records without a signature.
        waiting: u64,
    },
    /// The operating system has no thread to give.
    #[error("cannot start another thread: {0}")]
    Threads(String),
    /// A second signal came: everything was dropped where it was.
    #[error("stopped at once; whatever was being signed is signed again by the next run")]
    Aborted,
}

/// How long a command tries.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where an actor says that the run is over. The first word counts.
#[derive(Clone)]
pub struct Ends {
    sender: UnboundedSender<End>,
    mode: Mode,
}

impl Ends {
    /// For a run of this mode.
    pub fn new(mode: Mode) -> (Self, UnboundedReceiver<End>) {
        let (sender, receiver) = unbounded_channel();
        (Self { sender, mode }, receiver)
    }

    /// When the run ends by itself.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Ends the run.
    pub fn end(&self, end: End) {
        // The receiver is gone only when the run has ended already.
        drop(self.sender.send(end));
    }

    /// Ends a command that has tried in vain for too long, one try in a row after the other.
    pub fn tire(&self, error: &StoreError, lasts: Duration) {
        if self.is_tired(lasts) {
            self.end(End::Failed(error.clone().into()));
        }
    }

    /// Whether to give up after so long: a service never does.
    pub fn is_tired(&self, lasts: Duration) -> bool {
        self.mode.drains() && lasts >= PATIENCE
    }

    /// Whether troubles are waited out, however long they last: by a service, not by a command.
    pub fn is_patient(&self) -> bool {
        !self.mode.drains()
    }

    /// Whether to try again after `error`. A service outlasts whatever may pass without anybody
    /// touching it: a full disk, a server that is read-only while another takes over, and an error that
    /// nobody foresaw, for there are many that a database makes up when it goes away. It ends when the
    /// data is not what it must be.
    pub fn tolerates(&self, error: &StoreError) -> bool {
        match error {
            StoreError::Full | StoreError::ReadOnly(_) | StoreError::Unusable(_) => self.is_patient(),
            StoreError::Other(_) => self.is_patient() && !is_gone(error),
            error => error.is_transient(),
        }
    }

    /// Ends the run unless trying again may help.
    pub fn report(&self, error: &StoreError) {
        if !self.tolerates(error) {
            self.end(End::Failed(error.clone().into()));
        }
    }
}
