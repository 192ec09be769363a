//! Who may call the API, and the log of what was changed.

use std::time::Duration;

use crate::{
    domain::{
        AuditId, By, Fingerprint, Scopes, SecretHash, SessionParent, TokenId, TokenName, TokenState, Who,
    },
    store::StoreError,
};

/// The tokens of the API, and the audit log. A change and its row of the log are one transaction: neither is stored
/// without the other. The log never has a secret or the hash of one.
pub trait Access {
    /// Adds a token.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the id is taken.
    fn add_token(&self, token: &NewToken, by: &By) -> Result<AddTokenVerdict, StoreError>;

    /// Up to `limit` tokens, without the sessions, in the order in which they were added, from the one after `after` on.
    /// There is none when no token has that id.
    fn tokens(&self, after: Option<TokenId>, limit: usize) -> Result<Vec<TokenRow>, StoreError>;

    /// One token, with the hashes of its secrets; `None` if there is no such token.
    fn token(&self, id: TokenId) -> Result<Option<StoredToken>, StoreError>;

    /// The token of a client certificate, by the SHA-256 of the certificate's SubjectPublicKeyInfo; `None` if there is
    /// none that is not revoked.
    fn token_of_certificate(&self, key: Fingerprint) -> Result<Option<TokenRow>, StoreError>;

    /// Gives a token another secret, and another end. Its sessions that would last longer than the secret before end, and
    /// so do all of them when a secret before that one could still be used.
    fn rotate_token(
        &self,
        id: TokenId,
        rotation: &Rotation,
        by: &By,
    ) -> Result<RotateTokenVerdict, StoreError>;

    /// Revokes a token and its sessions. This is final.
    fn revoke_token(&self, id: TokenId, by: &By) -> Result<RevokeTokenVerdict, StoreError>;

    /// Notes that a token was used just now, unless that was noted less than `every` ago. Returns whether it was noted.
    /// This writes to the database: callers must not ask for each request. A crash may undo it.
    fn note_use(&self, id: TokenId, every: Duration) -> Result<bool, StoreError>;

    /// Up to `limit` rows of the audit log with an id above `after`, in the order in which the changes were made. What
    /// was read once never gets a row before it.
    fn audit_log(&self, after: AuditId, limit: usize) -> Result<Vec<AuditRow>, StoreError>;
}

/// A token to add.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its public id.
    pub id: TokenId,
    /// What people call it.
    pub name: TokenName,
    /// What it may do.
    pub scopes: Scopes,
    /// How it is recognised.
    pub credential: Credential,
    /// How long it may be used, by the database's clock; `None` is for ever. More than ten years are ten years.
    pub expires_in: Option<Duration>,
}

/// How a token is recognised.
#[derive(Clone, Copy, Debug)]
pub enum Credential {
    /// By its secret.
    Secret(SecretHash),
    /// By the key of a client certificate: SHA-256 of its SubjectPublicKeyInfo. Such a token has no secret.
    Certificate(Fingerprint),
}

/// Another secret for a token.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// The new secret.
    pub secret: SecretHash,
    /// How long the secret that is replaced can still be used, though never longer than before. With `None` it ends at
    /// once. A secret that it had replaced itself ends at once in any case. More than ten years are ten years.
    pub overlap: Option<Duration>,
    /// How long the token may be used from now on; `None` is for ever. More than ten years are ten years.
    pub expires_in: Option<Duration>,
}

/// A token as people may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// Its public id.
    pub id: TokenId,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// The key of the client certificate that it belongs to.
    pub certificate: Option<Fingerprint>,
    /// When it was added.
    pub created_at: String,
    /// When its time is over; `None` is never.
    pub expires_at: Option<String>,
    /// How long that was off when the row was read, by the database's clock: zero when its time is over.
    pub remaining: Option<Duration>,
    /// Until when the secret before the last rotation can be used.
    pub previous_until: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// When it was used last, to a minute or so.
    pub last_used_at: Option<String>,
    /// What it was made with, if it is a session of the dashboard.
    pub parent: Option<SessionParent>,
}

impl TokenRow {
    /// Whether it can be used, `age` after the row was read.
    pub fn state(&self, age: Duration) -> TokenState {
        if self.revoked_at.is_some() {
            TokenState::Revoked
        } else if self.remaining.is_some_and(|remaining| remaining <= age) {
            TokenState::Expired
        } else {
            TokenState::Active
        }
    }
}

/// A token with the hashes of its secrets, against which a client is checked.
#[derive(Clone, Debug)]
pub struct StoredToken {
    /// What people may see of it.
    pub row: TokenRow,
    /// The hash of its secret; `None` where a certificate stands for it.
    pub secret: Option<SecretHash>,
    /// The secret before the last rotation, and for how long it could still be used when the row was read.
    pub previous: Option<(SecretHash, Duration)>,
}

/// What became of a token that was to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddTokenVerdict {
    /// It is there now.
    Added(Box<TokenRow>),
    /// Another token, which is not revoked, belongs to the same certificate key.
    CertificateTaken(TokenId),
}

/// What became of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RotateTokenVerdict {
    /// Done.
    Rotated(Box<TokenRow>),
    /// Refused, because the token was revoked.
    IsRevoked,
    /// Refused, because the token has no secret: a certificate stands for it.
    HasCertificate,
    /// Refused, because it is a session, which cannot get more time.
    IsSession,
    /// There is no such token.
    NoSuchToken,
}

/// What became of a request to revoke a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevokeTokenVerdict {
    /// Done.
    Revoked,
    /// It had been revoked before, and nothing was changed.
    WasRevoked,
    /// There is no such token.
    NoSuchToken,
}

/// A row of the audit log: one change, and who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number.
    pub id: AuditId,
    /// When.
    pub at: String,
    /// Who.
    pub who: Who,
    /// The address of the client.
    pub address: Option<String>,
    /// What was done: the name of an [`Action`](crate::domain::Action), or one of another version.
    pub action: String,
    /// What it was done to: the fingerprint of a key, the id of a token, the name of a webhook or of an outlet, or the id of a
    /// refused message.
    pub object: String,
    /// What was there before, in words.
    pub before: Option<String>,
    /// What is there since, in words.
    pub after: Option<String>,
    /// The id of the request.
    pub request_id: Option<String>,
}
