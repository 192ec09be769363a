//! The public halves: `GET /v1/keys/{fingerprint}.pem`, `.jwk`, and `GET /v1/jwks.json`. Anybody may read them.

use std::collections::HashMap;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::CONTENT_TYPE,
    web::{Data, Path},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    set::{Jwk, JwkSet},
    shape::fingerprint,
};
use crate::{
    domain::{Fingerprint, KeyState},
    http::{
        app::App,
        etag::{self, Freshness},
        names::KeyStateName,
        problem::{Kind, Problem},
        query::{Query, parsed},
    },
    signer::PublicKey,
    store::{KeyOrder, KeyPage, KeyRow, Store, StoreError},
};

/// Which keys a set has.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Only the key with this fingerprint.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, pattern = "^[0-9a-fA-F]{64}$")]
    kid: Option<Fingerprint>,
    /// Only keys in this state. Usually all, because old signatures of retired keys must stay verifiable.
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline, value_type = Option<KeyStateName>)]
    state: Option<KeyState>,
}

/// The public half of a key in PEM, as openssl reads it.
#[utoipa::path(
    get,
    path = "/v1/keys/{fingerprint}.pem",
    operation_id = "read_key_pem",
    tag = "keys",
    params(("fingerprint" = String, Path, description = "64 hexadecimal digits", pattern = "^[0-9a-fA-F]{64}$")),
    responses(
        (status = 200, description = "The public half", body = String, content_type = "application/x-pem-file"),
        (status = 404, description = "There is no such key"),
    )
)]
pub async fn pem(request: HttpRequest, app: Data<App>, name: Path<String>) -> Result<HttpResponse, Problem> {
    let key = key(&app, fingerprint(&name)?).await?;
    let public_key = PublicKey::from_spki(&key.public_key).map_err(|_| Problem::new(Kind::NotFound))?;
    shown(&request, "application/x-pem-file", public_key.to_pem())
}

/// The public half of a key as a JSON Web Key.
#[utoipa::path(
    get,
    path = "/v1/keys/{fingerprint}.jwk",
    operation_id = "read_key_jwk",
    tag = "keys",
    params(("fingerprint" = String, Path, description = "64 hexadecimal digits", pattern = "^[0-9a-fA-F]{64}$")),
    responses(
        (status = 200, description = "The public half", body = Jwk, content_type = "application/jwk+json"),
        (status = 404, description = "There is no such key"),
    )
)]
pub async fn jwk(request: HttpRequest, app: Data<App>, name: Path<String>) -> Result<HttpResponse, Problem> {
    let name = fingerprint(&name)?;
    let jwk = app.read(move |store| jwk_named(store, &name)).await?;
    let (_, jwk) = jwk.ok_or(Problem::new(Kind::NotFound))?;
    shown(&request, "application/jwk+json", json(&jwk))
}

/// All public keys as a set of JSON Web Keys, retired ones included.
///
/// Many programs refuse large sets: ask for one key by `kid`. The signatures are over the payloads themselves, so they
/// are no JSON Web Signatures.
#[utoipa::path(
    get,
    path = "/v1/jwks.json",
    operation_id = "read_jwks",
    tag = "keys",
    params(Filter),
    responses((status = 200, description = "The set", body = JwkSet, content_type = "application/jwk-set+json"))
)]
pub async fn jwks(
    request: HttpRequest,
    app: Data<App>,
    Query(filter): Query<Filter>,
) -> Result<HttpResponse, Problem> {
    let is_meant = |state: KeyState| filter.state.is_none_or(|wanted| wanted == state);
    let keys: Vec<Jwk> = match filter.kid {
        Some(kid) => {
            let found = app.read(move |store| jwk_named(store, &kid)).await?;
            found.filter(|(state, _)| is_meant(*state)).map(|(_, jwk)| jwk).into_iter().collect()
        }
        None => {
            let all = app.key_set().keys(read_all(&app)).await?;
            all.iter().filter(|(state, _)| is_meant(*state)).map(|(_, jwk)| jwk.clone()).collect()
        }
    };
    shown(&request, "application/jwk-set+json", json(&JwkSet { keys }))
}

/// The same set under the address of RFC 8615, where many programs look for it.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    operation_id = "read_well_known_jwks",
    tag = "keys",
    params(Filter),
    responses((status = 200, description = "The set", body = JwkSet, content_type = "application/jwk-set+json"))
)]
pub async fn well_known(
    request: HttpRequest,
    app: Data<App>,
    filter: Query<Filter>,
) -> Result<HttpResponse, Problem> {
    jwks(request, app, filter).await
}

async fn key(app: &App, name: Fingerprint) -> Result<KeyRow, Problem> {
    app.read(move |store| store.key_named(&name)).await?.ok_or(Problem::new(Kind::NotFound))
}

/// The key with this fingerprint, if it is there and parses.
fn jwk_named(store: &dyn Store, name: &Fingerprint) -> Result<Option<(KeyState, Jwk)>, StoreError> {
    let Some(key) = store.key_named(name)? else { return Ok(None) };
    let certificates = store.certificates(Some(key.id))?;
    let jwk = Jwk::of(&key, certificates.first().map(|(_, stored)| stored.as_slice()));
    Ok(jwk.map(|jwk| (key.state, jwk)))
}

/// Parses the keys on a database thread, because the thread that answers has other clients, too.
async fn read_all(app: &App) -> Result<Vec<(KeyState, Jwk)>, Problem> {
    app.read(|store| {
        let keys =
            store.key_page(KeyPage { order: KeyOrder::Added(None), state: None, limit: usize::MAX })?;
        let certificates: HashMap<_, _> = store.certificates(None)?.into_iter().collect();
        let jwk = |key: &KeyRow| Jwk::of(key, certificates.get(&key.id).map(Vec::as_slice));
        Ok(keys.iter().filter_map(|key| Some((key.state, jwk(key)?))).collect())
    })
    .await
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("texts can be written as JSON")
}

fn shown(request: &HttpRequest, media_type: &'static str, text: String) -> Result<HttpResponse, Problem> {
    let tag = etag::tag("k", &[text.as_bytes()]);
    etag::answer(request, tag, Freshness::Public, |mut response| {
        response.insert_header((CONTENT_TYPE, media_type)).body(text)
    })
}
