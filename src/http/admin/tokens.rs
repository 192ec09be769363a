//! `GET /v1/tokens` and `GET /v1/tokens/{id}`.

use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::TokenBody;
use crate::{
    domain::TokenId,
    http::{
        answer,
        app::App,
        problem::{Kind, Problem},
        query::{self, Query, limit, parsed},
    },
    store::Store,
};

/// Which tokens to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// The `next` of the page before, to go on after it.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, pattern = "^[a-z2-7]{10}$")]
    after: Option<TokenId>,
    /// How many: 1 to 1000, usually 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Whether to list the sessions of the dashboard instead, until a week after their end.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    sessions: bool,
}

/// A page of tokens.
#[derive(Serialize, ToSchema)]
#[schema(as = TokenPage)]
pub struct TokensBody {
    /// The tokens.
    tokens: Vec<TokenBody>,
    /// Where the next page begins; `null` on the last page.
    next: Option<String>,
}

/// All tokens, without their secrets, in the order in which they were made.
#[utoipa::path(
    get, path = "/v1/tokens", operation_id = "list_tokens", tag = "tokens", params(Page),
    responses((status = 200, description = "A page of tokens", body = TokensBody))
)]
pub async fn list(app: Data<App>, Query(page): Query<Page>) -> Result<HttpResponse, Problem> {
    let Page { after, sessions, .. } = page;
    let limit = limit(page.limit)?;
    let list = move |store: &dyn Store| match sessions {
        false => store.tokens(after, limit + 1),
        true => store.sessions(after, limit + 1),
    };
    let found = app.read(list).await?;
    let (tokens, next) = query::page(found, limit, |row| row.id.to_string());
    Ok(answer::ok(&TokensBody { tokens: tokens.iter().map(TokenBody::from).collect(), next }))
}

/// One token, without its secret.
#[utoipa::path(
    get, path = "/v1/tokens/{id}", operation_id = "read_token", tag = "tokens",
    params(("id" = String, Path, description = "The public id of the token", pattern = "^[a-z2-7]{10}$")),
    responses((status = 200, description = "The token", body = TokenBody))
)]
pub async fn one(app: Data<App>, id: Path<String>) -> Result<HttpResponse, Problem> {
    let id = named(&id)?;
    let found = app.read(move |store| store.token(id)).await?;
    Ok(answer::ok(&TokenBody::from(&found.ok_or(Problem::new(Kind::NotFound))?.row)))
}

/// The token that a path names. A text that cannot be an id names no token.
pub(super) fn named(id: &str) -> Result<TokenId, Problem> {
    id.parse().map_err(|_| Problem::new(Kind::NotFound))
}
