//! Mode: when a run ends by itself, and what of the work it does.

use crate::config::Roles;

/// When a run ends by itself, and what of the work it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Never: it serves in these roles until it is stopped, and waits out troubles.
    Serve(Roles),
    /// When nothing is waiting to be signed any more. It does all of the work, and troubles that last end it.
    Drain,
}

impl Mode {
    /// What of the work the run does.
    pub fn roles(self) -> Roles {
        match self {
            Self::Serve(roles) => roles,
            Self::Drain => Roles::Both,
        }
    }

    /// Whether the run ends when nothing is waiting any more.
    pub fn drains(self) -> bool {
        self == Self::Drain
    }
}
