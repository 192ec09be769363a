//! `PATCH /v1/keys/{fingerprint}`: puts a key into another state.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path, Payload},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::shape::{KeyBody, fingerprint};
use crate::{
    domain::KeyState,
    http::{
        answer,
        app::App,
        caller::Caller,
        json,
        names::KeyStateName,
        problem::{Kind, Problem},
    },
    store::KeyStateVerdict,
};

/// The most characters that a reason may have.
const REASON: usize = 1000;
/// The most bytes that the body may have.
const BODY: usize = 16 << 10;

/// The new state of a key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyChange {
    /// active, disabled, suspended or retired. Retired is final.
    #[schema(value_type = KeyStateName, example = "disabled")]
    state: String,
    /// Why, for people to read: 1000 characters at most.
    #[schema(max_length = 1000)]
    reason: Option<String>,
}

/// Puts a key into another state.
///
/// A batch that is being signed with the key is finished. Doing the same again is harmless.
#[utoipa::path(
    patch,
    path = "/v1/keys/{fingerprint}",
    operation_id = "change_key",
    tag = "keys",
    params(("fingerprint" = String, Path, description = "64 hexadecimal digits", pattern = "^[0-9a-fA-F]{64}$")),
    request_body = KeyChange,
    responses(
        (status = 200, description = "The key in its new state", body = KeyBody),
        (status = 404, description = "There is no such key"),
        (status = 409, description = "A retired key stays retired"),
    )
)]
pub async fn change(
    request: HttpRequest,
    app: Data<App>,
    caller: Caller,
    name: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let name = fingerprint(&name)?;
    let KeyChange { state, reason } = json::read(&request, payload, BODY, &app).await?;
    let unknown =
        |_| Problem::because(Kind::InvalidRequest, "A state is active, disabled, suspended or retired.");
    let state: KeyState = state.parse().map_err(unknown)?;
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON || reason.contains('\0')) {
        return Err(Problem::because(
            Kind::InvalidRequest,
            "A reason has 1000 characters at most, and no NUL.",
        ));
    }
    let by = caller.by();
    let changed = app.change(move |store| {
        let Some(key) = store.key_named(&name)? else { return Ok(None) };
        let verdict = store.set_key_state(key.id, state, reason.as_deref(), &by)?;
        Ok(store.key(key.id)?.map(|key| (verdict, key)))
    });
    match changed.await? {
        Some((KeyStateVerdict::Changed(_), key)) => Ok(answer::ok(&KeyBody::from(&key))),
        Some((KeyStateVerdict::Refused(_), _)) => Err(Problem::new(Kind::RetiredIsFinal)),
        Some((KeyStateVerdict::NoSuchKey, _)) | None => Err(Problem::new(Kind::NotFound)),
    }
}
