//! Layer 3, access: who may call the API. A [`Token`] is made, read and checked here; the database has only its hash.
//!
//! - [`Token`]: the secret that a client sends, and its text.
//! - [`authorize()`], [`authorize_certificate`]: what a client may do, or why it may do nothing.
//! - [`SignInLink`]: signs somebody in to the dashboard who sees the terminal.

mod authorize;
mod life;
mod link;
mod token;

pub use authorize::{Refusal, authorize, authorize_certificate};
pub use life::{DEFAULT_LIFE, DEFAULT_OVERLAP, Life, life, overlap};
pub use link::SignInLink;
pub use token::{MalformedToken, Token, new_token_id};
