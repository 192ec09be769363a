//! A token as the API shows it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{Fingerprint, SessionParent},
    http::names::{ScopeName, TokenStateName},
    store::TokenRow,
};

/// A token, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub struct TokenBody {
    /// Its public id.
    id: String,
    /// What people call it.
    name: String,
    /// What it may do: `submit`, `read`, `operate`, `admin`.
    #[schema(value_type = Vec<ScopeName>)]
    scopes: Vec<&'static str>,
    /// `active`, `expired` or `revoked`.
    #[schema(value_type = TokenStateName)]
    state: &'static str,
    /// SHA-256, in hex, of the SubjectPublicKeyInfo of the client certificate that stands for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    client_certificate: Option<String>,
    /// When it was made.
    created_at: String,
    /// When its time is over; absent if never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    expires_at: Option<String>,
    /// Until when the secret before the last rotation can be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    previous_until: Option<String>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    revoked_at: Option<String>,
    /// When it was used last, to a minute or so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_used_at: Option<String>,
    /// Of a session of the dashboard: the id of the token that it was made with, or `terminal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parent: Option<String>,
}

impl From<&TokenRow> for TokenBody {
    fn from(row: &TokenRow) -> Self {
        Self {
            id: row.id.to_string(),
            name: row.name.clone(),
            scopes: row.scopes.iter().map(|scope| scope.name()).collect(),
            state: row.state(std::time::Duration::ZERO).name(),
            client_certificate: row.certificate.as_ref().map(Fingerprint::to_string),
            created_at: row.created_at.clone(),
            expires_at: row.expires_at.clone(),
            previous_until: row.previous_until.clone(),
            revoked_at: row.revoked_at.clone(),
            last_used_at: row.last_used_at.clone(),
            parent: row.parent.as_ref().map(SessionParent::to_string),
        }
    }
}

/// A token that was just made or rotated. The secret is shown this once.
#[derive(Serialize, ToSchema)]
#[schema(as = IssuedToken)]
pub struct NewTokenBody {
    /// The text to send as `Authorization: Bearer ..`; absent where a client certificate stands for the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub secret: Option<String>,
    /// The token.
    #[serde(flatten)]
    pub token: TokenBody,
}

impl Drop for NewTokenBody {
    fn drop(&mut self) {
        use zeroize::Zeroize as _;
        self.secret.zeroize();
    }
}
