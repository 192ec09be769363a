//! Sessions of the dashboard: tokens that browsers have in cookies.

use std::time::Duration;

use super::access::TokenRow;
use crate::{
    domain::{By, Scopes, SecretHash, TokenId, TokenName},
    store::StoreError,
};

/// Sessions. Each is a token: [`Access`](super::Access) finds it, notes its use and revokes it. It cannot be rotated. The
/// sessions of a token end with it, in the transaction in which it is revoked. A rotation ends those that would outlive
/// the secret with which they were made.
pub trait Sessions {
    /// Adds a session, and deletes the rows of those whose time has long been over.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the id is taken.
    fn add_session(&self, session: &NewSession, by: &By) -> Result<AddSessionVerdict, StoreError>;

    /// Up to `limit` sessions in the order in which they were added, from the one after `after` on. There is none when
    /// no session has that id.
    fn sessions(&self, after: Option<TokenId>, limit: usize) -> Result<Vec<TokenRow>, StoreError>;

    /// Ends a session. This is final. Returns whether there was one to end.
    fn end_session(&self, id: TokenId, by: &By) -> Result<bool, StoreError>;
}

/// A session to add.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its public id.
    pub id: TokenId,
    /// The secret in the cookie.
    pub secret: SecretHash,
    /// Who signs in.
    pub origin: SessionOrigin,
    /// How long it may last, by the database's clock. It never lasts longer than what it was made with.
    pub expires_in: Duration,
    /// How long after its end a session is still listed: the rows of older ones are deleted.
    pub kept_for: Duration,
}

/// Who signs in.
#[derive(Clone, Debug)]
pub enum SessionOrigin {
    /// A client with this secret of this token. The session gets the token's name and scopes.
    Token(TokenId, SecretHash),
    /// Somebody who sees the terminal.
    Terminal(TokenName, Scopes),
}

/// What became of a session that was to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddSessionVerdict {
    /// It is there now.
    Added(Box<TokenRow>),
    /// The token cannot be used with that secret, or is a session itself.
    NoSuchToken,
}
