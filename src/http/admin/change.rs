//! Changes of tokens. A caller needs every scope of a token that it makes or rotates, because the answer has the
//! secret.

use std::{borrow::Cow, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::LOCATION,
    web::{Data, Path, Payload},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    body::{NewTokenBody, TokenBody},
    tokens::named,
};
use crate::{
    access::{DEFAULT_LIFE, DEFAULT_OVERLAP, Life, Token, life, new_token_id, overlap},
    domain::{Scope, Scopes, TokenName},
    http::{
        answer,
        app::App,
        caller::Caller,
        json,
        names::ScopeName,
        problem::{Kind, Problem},
    },
    signer::certificate_key,
    store::{AddTokenVerdict, Credential, NewToken, RevokeTokenVerdict, RotateTokenVerdict, Rotation},
};

/// The largest body: a certificate in PEM, and a few words.
const LIMIT: usize = 64 << 10;

/// A token to make.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewToken)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// What people call it: 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// What it may do: `submit`, `read`, `operate`, `admin`. The caller must have them all.
    #[schema(value_type = Vec<ScopeName>, min_items = 1)]
    scopes: Vec<String>,
    /// How long it may be used, such as `90d`, or `never`; 90 days if absent.
    #[schema(pattern = "^(never|[1-9][0-9]{0,2}d|[1-9][0-9]{0,3}(h|min|s))$")]
    expires_in: Option<String>,
    /// A client certificate in PEM whose key stands for the token, which then has no secret.
    client_certificate: Option<String>,
}

/// How to rotate a token.
#[derive(Deserialize, ToSchema)]
#[schema(as = TokenRotation)]
#[serde(deny_unknown_fields)]
pub struct HowToRotate {
    /// How long the old secret can still be used, such as `24h`, which is usual.
    #[schema(pattern = "^([0-9]{1,3}d|[0-9]{1,4}(h|min|s))$")]
    overlap: Option<String>,
    /// How long the token may be used from now on, such as `90d`, or `never`; 90 days if absent.
    #[schema(pattern = "^(never|[1-9][0-9]{0,2}d|[1-9][0-9]{0,3}(h|min|s))$")]
    expires_in: Option<String>,
}

/// Makes a token. The answer has its secret, which cannot be shown again.
///
/// If the answer is lost, look for the token in the list, revoke it and make another one.
#[utoipa::path(
    post, path = "/v1/tokens", operation_id = "create_token", tag = "tokens", request_body = Wanted,
    responses(
        (status = 201, description = "The token, with its secret", body = NewTokenBody),
        (status = 409, description = "The certificate's key belongs to another token"),
    )
)]
pub async fn create(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let wanted: Wanted = json::read(&request, payload, LIMIT, &app).await?;
    let scopes = scopes(&wanted.scopes)?;
    may_give(&caller, scopes)?;
    let name: TokenName =
        wanted.name.parse().map_err(|_| invalid("The name has 1 to 100 printable characters."))?;
    let expires_in = lifetime(wanted.expires_in.as_deref())?;
    let token = match &wanted.client_certificate {
        None => Ok(Token::issue()),
        Some(pem) => Err(certificate_key(pem.as_bytes())
            .map_err(|_| invalid("client_certificate is no certificate in PEM."))?),
    };
    let (id, credential) = match &token {
        Ok(token) => (token.id(), Credential::Secret(token.hash())),
        Err(key) => (new_token_id(), Credential::Certificate(*key)),
    };
    let new = NewToken { id, name, scopes, credential, expires_in };
    match app.change(move |store| store.add_token(&new, &caller.by())).await? {
        AddTokenVerdict::Added(row) => {
            let mut created = HttpResponse::Created();
            created.insert_header((LOCATION, format!("/v1/tokens/{id}")));
            let secret = token.ok().map(|token| token.text().to_string());
            Ok(answer::json(created, &NewTokenBody { secret, token: TokenBody::from(&*row) }))
        }
        AddTokenVerdict::CertificateTaken(_) => Err(Problem::new(Kind::CertificateTaken)),
    }
}

/// Gives a token another secret. The old one can be used for a while.
#[utoipa::path(
    post, path = "/v1/tokens/{id}/rotate", operation_id = "rotate_token", tag = "tokens", request_body = HowToRotate,
    params(("id" = String, Path, description = "The public id of the token", pattern = "^[a-z2-7]{10}$")),
    responses(
        (status = 200, description = "The token, with its new secret", body = NewTokenBody),
        (status = 409, description = "A revoked token stays revoked"),
    )
)]
pub async fn rotate(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = named(&id)?;
    let how: HowToRotate = json::read(&request, payload, LIMIT, &app).await?;
    let overlap = overlap(how.overlap.as_deref().unwrap_or(DEFAULT_OVERLAP))
        .map_err(|wanted| invalid(format!("overlap must be {wanted}.")))?;
    let expires_in = lifetime(how.expires_in.as_deref())?;
    let found = app.read(move |store| store.token(id)).await?.ok_or(Problem::new(Kind::NotFound))?;
    may_give(&caller, found.row.scopes)?;
    let token = Token::with_new_secret(id);
    let rotation = Rotation { secret: token.hash(), overlap: Some(overlap), expires_in };
    let verdict = app.change(move |store| store.rotate_token(id, &rotation, &caller.by())).await?;
    app.tokens().forget(id);
    match verdict {
        RotateTokenVerdict::Rotated(row) => {
            let secret = Some(token.text().to_string());
            Ok(answer::ok(&NewTokenBody { secret, token: TokenBody::from(&*row) }))
        }
        RotateTokenVerdict::IsRevoked => Err(Problem::new(Kind::RevokedIsFinal)),
        RotateTokenVerdict::HasCertificate => {
            Err(invalid("A client certificate stands for this token, so it has no secret."))
        }
        RotateTokenVerdict::IsSession => {
            Err(invalid("A session cannot be rotated: revoke it, and sign in again."))
        }
        RotateTokenVerdict::NoSuchToken => Err(Problem::new(Kind::NotFound)),
    }
}

/// Revokes a token, for ever. Other processes refuse it after five seconds at the latest.
#[utoipa::path(
    delete, path = "/v1/tokens/{id}", operation_id = "revoke_token", tag = "tokens",
    params(("id" = String, Path, description = "The public id of the token", pattern = "^[a-z2-7]{10}$")),
    responses((status = 204, description = "The token is revoked"))
)]
pub async fn revoke(app: Data<App>, caller: Caller, id: Path<String>) -> Result<HttpResponse, Problem> {
    let id = named(&id)?;
    let verdict = app.change(move |store| store.revoke_token(id, &caller.by())).await?;
    app.tokens().forget(id);
    match verdict {
        RevokeTokenVerdict::Revoked | RevokeTokenVerdict::WasRevoked => {
            Ok(HttpResponse::NoContent().finish())
        }
        RevokeTokenVerdict::NoSuchToken => Err(Problem::new(Kind::NotFound)),
    }
}

fn may_give(caller: &Caller, scopes: Scopes) -> Result<(), Problem> {
    if caller.scopes().include(scopes) {
        return Ok(());
    }
    Err(Problem::because(
        Kind::InsufficientScope,
        "The token would have a scope that the caller's token lacks.",
    ))
}

fn scopes(names: &[String]) -> Result<Scopes, Problem> {
    let scopes: Result<Vec<Scope>, _> = names.iter().map(|name| name.parse()).collect();
    let scopes = scopes.ok().and_then(Scopes::of);
    scopes.ok_or_else(|| invalid("scopes is a list of submit, read, operate and admin."))
}

/// How long a token may be used; `None` is for ever.
fn lifetime(text: Option<&str>) -> Result<Option<Duration>, Problem> {
    let life = life(text.unwrap_or(DEFAULT_LIFE));
    life.map(Life::duration).map_err(|wanted| invalid(format!("expires_in must be {wanted}.")))
}

fn invalid(detail: impl Into<Cow<'static, str>>) -> Problem {
    Problem::because(Kind::InvalidRequest, detail)
}
