//! `GET /v1/records/{id}/signature`: the signature of a record, or a wait for it.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CONTENT_TYPE, RETRY_AFTER},
    web::{Data, Path},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::records::record_id;
use crate::{
    domain::RecordId,
    http::{
        accept, answer,
        app::App,
        etag::{self, Freshness},
        names::Bytes,
        problem::{Kind, Problem},
        shapes::{RecordSignatureBody, RecordState},
        waits,
    },
    store::RecordRow,
};

const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";

/// A record that is not signed yet.
#[derive(Serialize, ToSchema)]
#[schema(as = NotSigned)]
pub struct NotSignedBody {
    /// The record.
    #[schema(example = "17")]
    record_id: String,
    /// The client's own name for it.
    external_id: Option<String>,
    /// How long all waiting records take at the present rate, in seconds, if that is known.
    seconds_left: Option<f64>,
}

/// The signature of a record, as JSON or as bytes.
///
/// With `Prefer: wait=N` (RFC 7240), a record that is not signed yet is waited for, 30 seconds at most.
#[utoipa::path(
    get,
    path = "/v1/records/{id}/signature",
    operation_id = "read_signature",
    tag = "records",
    params(
        ("id" = String, Path, description = "The id that the database assigned", pattern = "^[1-9][0-9]{0,18}$"),
        ("Prefer" = Option<String>, Header, nullable = false, description = "wait=N: wait N seconds at most"),
    ),
    responses(
        (status = 200, description = "The signature. This answer never changes", content(
            (RecordSignatureBody = "application/json"),
            (Bytes = "application/octet-stream"),
        )),
        (status = 202, body = NotSignedBody, description = "The record is not signed yet"),
        (status = 304, description = "The client has this answer already"),
        (status = 404, description = "There is no such record"),
        (status = 406, description = "Neither form is accepted"),
        (status = 410, description = "A restored database lacks the signature"),
    )
)]
pub async fn signature(
    request: HttpRequest,
    app: Data<App>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (id, form) = (record_id(&id)?, accept::best(&request, &[JSON, BYTES])?);
    let wait = waits::wished(&request)?;
    let mut row = look(&app, id).await?;
    if let Some(wait) = wait
        && RecordState::of(&row) == RecordState::Waiting
    {
        row = wait_for(&app, row, wait).await?;
    }
    if RecordState::of(&row) == RecordState::Lost {
        return Err(Problem::new(Kind::SignatureLost));
    }
    let Some(body) = RecordSignatureBody::of(&row) else { return not_signed(&app, &row, wait).await };
    let signature = row.signature.unwrap_or_default();
    let tag = etag::tag(if form == JSON { "s" } else { "b" }, &[&row.id.0.to_be_bytes(), &signature]);
    etag::answer(&request, tag, Freshness::Immutable, |mut response| {
        if form == JSON {
            answer::json(response, &body)
        } else {
            response
                .insert_header((CONTENT_TYPE, BYTES))
                .insert_header(("Signwave-Fingerprint", body.signature.fingerprint))
                .insert_header(("Signwave-Scheme", body.signature.scheme))
                .body(signature)
        }
    })
}

async fn look(app: &App, id: RecordId) -> Result<RecordRow, Problem> {
    app.record(id).await?.ok_or(Problem::new(Kind::NotFound))
}

/// The record when it is signed, or as it was when the time is over or the service stops.
async fn wait_for(app: &App, row: RecordRow, wait: Duration) -> Result<RecordRow, Problem> {
    let look = async || {
        Ok(Some(look(app, row.id).await?).filter(|row| RecordState::of(row) != RecordState::Waiting))
    };
    let signed = app.waits().place()?.wait(row.id, wait, app.stopping().begun(), look).await?;
    Ok(signed.unwrap_or(row))
}

async fn not_signed(app: &App, row: &RecordRow, wait: Option<Duration>) -> Result<HttpResponse, Problem> {
    let seconds_left = app.status().await.ok().and_then(|status| status.seconds_left());
    let body =
        NotSignedBody { record_id: row.id.to_string(), external_id: row.external_id.clone(), seconds_left };
    let mut response = HttpResponse::Accepted();
    // Half a minute is as long as anybody should wait without looking.
    response.insert_header((RETRY_AFTER, seconds_left.unwrap_or(1.0).clamp(1.0, 30.0).ceil() as u64));
    if let Some(wait) = wait {
        response.insert_header(("Preference-Applied", format!("wait={}", wait.as_secs())));
    }
    Ok(answer::json(response, &body))
}
