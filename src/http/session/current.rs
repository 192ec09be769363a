//! `GET` and `DELETE /v1/session`: the session of the cookie.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, http::header::SET_COOKIE, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::cookie::Cookie;
use crate::{
    http::{
        answer,
        app::App,
        caller::Caller,
        names::ScopeName,
        problem::{Kind, Problem},
    },
    store::TokenRow,
};

/// A session of the dashboard.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionBody {
    /// The name of the token that signed in, or that of the terminal.
    name: String,
    /// What it may do: `submit`, `read`, `operate`, `admin`.
    #[schema(value_type = Vec<ScopeName>)]
    scopes: Vec<&'static str>,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, nullable = false)]
    expires_at: Option<String>,
}

impl From<&TokenRow> for SessionBody {
    fn from(row: &TokenRow) -> Self {
        Self {
            name: row.name.clone(),
            scopes: row.scopes.iter().map(|scope| scope.name()).collect(),
            expires_at: row.expires_at.clone(),
        }
    }
}

/// Who is signed in, by the cookie.
#[utoipa::path(
    get, path = "/v1/session", operation_id = "read_session", tag = "session",
    responses((status = 200, description = "The session", body = SessionBody))
)]
pub async fn read(app: Data<App>, caller: Caller) -> Result<HttpResponse, Problem> {
    let id = caller.token();
    let found = app.tokens().by_id.row(id, app.read(move |store| store.token(id))).await?;
    let (stored, _) = found.ok_or(Problem::new(Kind::InvalidToken))?;
    Ok(answer::ok(&SessionBody::from(&stored.row)))
}

/// Signs out: the session ends, and the cookie is removed.
#[utoipa::path(
    delete, path = "/v1/session", operation_id = "sign_out", tag = "session",
    responses((status = 204, description = "The session has ended"))
)]
pub async fn sign_out(request: HttpRequest, app: Data<App>, caller: Caller) -> Result<HttpResponse, Problem> {
    let id = caller.token();
    app.change(move |store| store.end_session(id, &caller.by())).await?;
    app.tokens().forget(id);
    let removed = Cookie::of(&request).set("", Duration::ZERO);
    Ok(HttpResponse::NoContent().insert_header((SET_COOKIE, removed)).finish())
}
