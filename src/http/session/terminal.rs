//! Signing in from the terminal on which the service was started.

use crate::{
    access::SignInLink,
    domain::{Scopes, TokenName, Who},
};

/// The link that was printed, and who can see it.
pub struct Terminal {
    /// Signs in once.
    pub link: SignInLink,
    /// Who started the service, for the audit log.
    pub who: Who,
    /// What to call the session.
    pub name: TokenName,
    /// What it may do.
    pub scopes: Scopes,
}
