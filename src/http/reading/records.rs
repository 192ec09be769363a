//! `GET /v1/records/{id}` and `GET /v1/records?external_id=X`: one record.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    domain::RecordId,
    http::{
        answer,
        app::App,
        etag::{self, Freshness},
        problem::{Kind, Problem},
        query::{Id, Query},
        shapes::RecordBody,
    },
    store::{RecordName, RecordRow, Wanted},
};

/// What to add to a record.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Options {
    /// Whether to add the payload.
    #[serde(default)]
    with_payload: bool,
}

/// A record by the client's own name.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Named {
    /// The client's own name for it.
    external_id: String,
    /// Whether to add the payload.
    #[serde(default)]
    with_payload: bool,
}

/// One record by its id.
///
/// The answer for a signed record never changes, and has a strong ETag.
#[utoipa::path(
    get,
    path = "/v1/records/{id}",
    operation_id = "read_record",
    tag = "records",
    params(("id" = String, Path, description = "The id that the database assigned", pattern = "^[1-9][0-9]{0,18}$"), Options),
    responses(
        (status = 200, description = "The record", body = RecordBody),
        (status = 304, description = "The client has this answer already"),
        (status = 404, description = "There is no such record"),
    )
)]
pub async fn by_id(
    request: HttpRequest,
    app: Data<App>,
    id: Path<String>,
    Query(options): Query<Options>,
) -> Result<HttpResponse, Problem> {
    let id = record_id(&id)?;
    let wanted = wanted(options.with_payload);
    let row = app.read(move |store| store.record(RecordName::Id(id), wanted)).await?;
    shown(&request, row, options.with_payload)
}

/// One record by the client's own name.
///
/// The name is a parameter of the query and no part of the path, because names may have slashes and dots.
#[utoipa::path(
    get,
    path = "/v1/records",
    operation_id = "find_record",
    tag = "records",
    params(Named),
    responses(
        (status = 200, description = "The record", body = RecordBody),
        (status = 304, description = "The client has this answer already"),
        (status = 404, description = "There is no such record"),
    )
)]
pub async fn by_name(
    request: HttpRequest,
    app: Data<App>,
    Query(Named { external_id, with_payload }): Query<Named>,
) -> Result<HttpResponse, Problem> {
    // No text in either database has this character, and PostgreSQL refuses even to look for it.
    if external_id.contains('\0') {
        return Err(Problem::new(Kind::NotFound));
    }
    let wanted = wanted(with_payload);
    let row = app.read(move |store| store.record(RecordName::External(&external_id), wanted)).await?;
    shown(&request, row, with_payload)
}

/// The id of a record in a path.
///
/// # Errors
/// [`Kind::NotFound`] for what cannot be an id.
pub fn record_id(text: &str) -> Result<RecordId, Problem> {
    text.parse().map(|Id(id)| RecordId(id)).map_err(|_| Problem::new(Kind::NotFound))
}

fn wanted(payload: bool) -> Wanted {
    Wanted { payload, unsigned_batch: true }
}

fn shown(request: &HttpRequest, row: Option<RecordRow>, with_payload: bool) -> Result<HttpResponse, Problem> {
    let row = row.ok_or(Problem::new(Kind::NotFound))?;
    let body = RecordBody::from(&row);
    let Some(signature) = row.signature.filter(|_| body.signature.is_some()) else {
        return Ok(answer::ok(&body));
    };
    let tag = etag::tag(if with_payload { "p" } else { "r" }, &[&row.id.0.to_be_bytes(), &signature]);
    etag::answer(request, tag, Freshness::Immutable, |response| answer::json(response, &body))
}
