//! How a run ends by itself: everything is signed, or the run cannot continue.

use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{db::is_gone, mode::Mode};
use crate::{
    config::SettingsError,
    domain::Reach,
    store::{BarredKeys, Status, StoreError},
};

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing waits any more, except for batches that other nodes hold.
    Drained {
        /// Batches leased by other nodes.
        held_elsewhere: usize,
    },
    /// The run cannot continue.
    Failed(RunError),
}

/// Why a run failed. The records that it did not sign still wait.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The settings contradict themselves.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The database refuses, and a retry does not help.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No key may sign.
    #[error(
        "there is no active key, and {waiting} records wait to be signed: generate a key with 'signwave keys \
         generate', or see with 'signwave keys list' why the existing keys are not active"
    )]
    NoActiveKey {
        /// Records without a signature.
        waiting: u64,
    },
    /// The limits of all active keys keep them from signing.
    #[error(
        "none of the active keys may sign now ({barred}), and {waiting} records wait to be signed: see the limits with \
         'signwave keys list', change them with 'signwave keys set', or generate a key with 'signwave keys generate'"
    )]
    BarredKeys {
        /// Records without a signature.
        waiting: u64,
        /// Why the keys may not sign.
        barred: BarredKeys,
    },
    /// Keys may sign, but not here.
    #[error(
        "this process can use no active key, and {waiting} records wait to be signed: 'signwave keys list' shows who has \
         the keys, and 'signwave custody check' whether they can be reached from here"
    )]
    NoReachableKey {
        /// Records without a signature.
        waiting: u64,
    },
    /// The operating system refuses to start a thread.
    #[error("cannot start another thread: {0}")]
    Threads(String),
    /// The last of three stop requests came: all unfinished work was dropped.
    #[error("stopped at once: the next run signs again what was being signed")]
    Aborted,
}

impl RunError {
    /// Why no key within this reach may sign; `None` if one may.
    pub(super) fn without_key(status: &Status, reach: &Reach) -> Option<Self> {
        let waiting = status.waiting();
        match (status.keys.active, status.usable_keys()) {
            (0, _) => Some(Self::NoActiveKey { waiting }),
            (_, 0) => Some(Self::BarredKeys { waiting, barred: status.barred }),
            _ if status.usable_within(reach) == 0 => Some(Self::NoReachableKey { waiting }),
            _ => None,
        }
    }
}

/// How long a command retries before it gives up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where an actor reports that the run is over. The first report counts.
#[derive(Clone)]
pub struct Ends {
    sender: UnboundedSender<End>,
    mode: Mode,
}

impl Ends {
    /// The sender and the receiver for a run of this mode.
    pub fn new(mode: Mode) -> (Self, UnboundedReceiver<End>) {
        let (sender, receiver) = unbounded_channel();
        (Self { sender, mode }, receiver)
    }

    /// The mode of the run.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Ends the run.
    pub fn end(&self, end: End) {
        // The receiver is gone only when the run has ended already.
        drop(self.sender.send(end));
    }

    /// Ends a command whose attempts have failed without a break for too long.
    pub fn tire(&self, error: &StoreError, lasts: Duration) {
        if self.is_tired(lasts) {
            self.end(End::Failed(error.clone().into()));
        }
    }

    /// Whether to give up after failing for this long. A service never gives up.
    pub fn is_tired(&self, lasts: Duration) -> bool {
        self.mode.drains() && lasts >= PATIENCE
    }

    /// Whether the run waits until an outage is over, however long it lasts. A service does; a command does not.
    pub fn is_patient(&self) -> bool {
        !self.mode.drains()
    }

    /// Whether to retry after `error`. A service retries after every error that can pass without a restart of the
    /// service: a full disk, a server that is read-only during a failover, and unknown errors, because a database
    /// that fails can return many different errors. A service ends when the data is not what it must be.
    pub fn tolerates(&self, error: &StoreError) -> bool {
        match error {
            StoreError::Full | StoreError::ReadOnly(_) | StoreError::Unusable(_) => self.is_patient(),
            StoreError::Other(_) => self.is_patient() && !is_gone(error),
            error => error.is_transient(),
        }
    }

    /// Ends the run unless a retry may help.
    pub fn report(&self, error: &StoreError) {
        if !self.tolerates(error) {
            self.end(End::Failed(error.clone().into()));
        }
    }
}
