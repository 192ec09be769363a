//! The caller: who sends a request.

use actix_web::HttpRequest;

use super::{
    app::App,
    problem::{Kind, Problem},
};
use crate::domain::Scopes;

/// Who sends a request, and what it may do.
#[derive(Clone, Debug)]
pub struct Caller {
    scopes: Scopes,
}

impl Caller {
    /// What it may do.
    pub fn scopes(&self) -> Scopes {
        self.scopes
    }
}

/// Who sends `request`.
///
/// # Errors
/// [`Kind::InvalidToken`].
pub async fn of(_request: &HttpRequest, _app: &App) -> Result<Caller, Problem> {
    Err(Problem::new(Kind::InvalidToken))
}
