//! Mode: when a run ends by itself, and which parts of the work it does.

use crate::config::Roles;

/// When a run ends by itself, and which parts of the work it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The run serves in these roles until it is stopped, and waits until outages are over.
    Serve(Roles),
    /// The run does all of the work, and ends when nothing waits to be signed any more. A lasting outage ends it too.
    Drain,
}

impl Mode {
    /// Which parts of the work the run does.
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
