//! The caller: who sends a request.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload};

use super::{
    app::App,
    problem::{Kind, Problem},
};
use crate::domain::{Scopes, TokenId};

/// Who sends a request, and what it may do.
#[derive(Clone, Debug)]
pub struct Caller {
    token: TokenId,
    scopes: Scopes,
}

impl Caller {
    /// The token that it has shown.
    pub fn token(&self) -> &TokenId {
        &self.token
    }

    /// What it may do.
    pub fn scopes(&self) -> Scopes {
        self.scopes
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    /// The caller whom the gate has let through.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or(Problem::new(Kind::InvalidToken)))
    }
}

/// Who sends `request`.
///
/// # Errors
/// [`Kind::InvalidToken`].
pub async fn of(_request: &HttpRequest, _app: &App) -> Result<Caller, Problem> {
    Err(Problem::new(Kind::InvalidToken))
}
