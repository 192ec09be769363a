//! Private keys in hardware tokens, behind PKCS#11 modules of their makers.
//!
//! A module may hang, crash or corrupt memory, so it is loaded into a process of this program that does nothing else:
//! one for each token. Digests go to it, and signatures come back. This module is what the service knows of it:
//!
//! - [`TokenSettings`]: how a token is reached. [`Location`]: which of its keys is meant.
//! - [`protocol`]: what a process is asked, and what it answers. `process` starts and ends it, `host` talks to it.
//! - `access`: a token as commands use it: [`TokenAccess`]. `candidate`: what a key must be before it is added.
//! - `keeper`: keeps a token open, and knows whether it is up: [`Token`]. `signer`: a signer whose key is in it.
//!
//! The other end is in `src/token_host`.

mod access;
mod candidate;
mod host;
mod keeper;
mod location;
mod process;
pub mod protocol;
mod retry;
#[cfg(test)]
mod scripted;
mod settings;
mod signer;
mod suspects;

pub use access::TokenAccess;
pub use candidate::Candidate;
pub use keeper::Token;
pub use location::{Location, LocationError};
pub use settings::TokenSettings;
pub(super) use signer::TokenSigner;
