//! `POST /v1/records/bulk`: any number of records, as JSON lines.

mod chunk;
mod input;
mod output;
mod report;
mod storing;

use actix_web::{
    HttpMessage as _, HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use serde::Deserialize;
use tokio::sync::oneshot;
use utoipa::{IntoParams, ToSchema};

use self::{
    input::Input,
    output::{Output, Shared},
    report::{Report, Verdicts},
    storing::Storing,
};
use super::{
    app::App,
    body,
    connection::Client,
    media_type::is_one_of,
    problem::{Kind, Problem},
    query::Query,
    request_id::RequestId,
};
use crate::store::OnConflict;

/// How to store the records, and what to answer.
#[derive(Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
#[derive(Default)]
pub struct Options {
    /// Which verdicts to send: ranges of lines (usual), problems only, or one for each line.
    #[param(inline)]
    verdicts: Told,
    /// What to do after a line whose external_id belongs to another payload: continue (usual), or stop.
    #[param(inline)]
    on_conflict: Then,
    /// Whether lines without an external_id are taken. Sent again, they are added again.
    anonymous: bool,
}

/// Which verdicts to send.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = BulkVerdicts)]
enum Told {
    /// Ranges of lines with the same verdict.
    #[default]
    Ranges,
    /// Only lines that are not stored.
    Problems,
    /// A verdict for each line: only for clients that read while they send.
    Each,
}

/// What to do after a conflict.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = OnConflict)]
enum Then {
    /// Go on with the next line.
    #[default]
    Continue,
    /// Store nothing behind the line.
    Stop,
}

/// Adds any number of records, one JSON object a line, as `signwave import` reads them.
///
/// The answer comes while the body is sent, and has JSON lines, too: ranges of lines with the same verdict, each after
/// the commit that stores the lines, and a last line that says whether all is well. If the last line is missing, the
/// connection was cut: send everything again, or from the last line that has a verdict. A client may send everything
/// before it reads: ranges that wait are merged. If more than 4,096 ranges wait, they become one with the verdict
/// `mixed` and the number of each verdict.
#[utoipa::path(
    post,
    path = "/v1/records/bulk",
    operation_id = "submit_bulk",
    tag = "records",
    params(Options),
    request_body(content = String, content_type = "application/x-ndjson", example = "{\"external_id\":\"a-1\",\"payload\":\"text\"}\n"),
    responses(
        (status = 200, description = "Verdicts, and a last line", content_type = "application/x-ndjson", body = String,
            example = "{\"lines\":[1,1000],\"verdict\":\"inserted\",\"ids\":\"17-1016\"}\n{\"done\":true,\"ok\":true,\"lines\":1000,\"inserted\":1000,\"already_there\":0,\"conflicts\":0}\n"),
        (status = 400, description = "The first lines are not valid"),
        (status = 413, description = "A payload among the first lines is too large"),
        (status = 415, description = "The body is compressed, or not application/x-ndjson"),
        (status = 503, description = "The service is overloaded or stopping, or the database does not answer"),
    )
)]
pub async fn bulk(
    app: Data<App>,
    request: HttpRequest,
    Query(options): Query<Options>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    app.stopping().refuse()?;
    if !is_one_of(&request, &["application/x-ndjson", "application/ndjson", "application/jsonl"]) {
        return Err(Problem::because(Kind::UnsupportedMediaType, "Send the body as application/x-ndjson."));
    }
    body::check(&request, usize::MAX)?;
    let place = app.limits().bulk.take().await?;
    let max_payload = app.payload_limit().await?;
    let input = Input::new(payload, max_payload, options.anonymous, app.budget())?;
    let shared = Shared::new(Report::new(options.verdicts.into()));
    let (on_start, started) = oneshot::channel();
    let storing = Storing {
        app: App::clone(&app),
        input,
        on_conflict: options.on_conflict.into(),
        shared: shared.clone(),
        request: request.extensions().get::<RequestId>().cloned().ok_or(Problem::new(Kind::Internal))?,
        started: Some(on_start),
        _place: place,
    };
    // A client may send everything before it reads.
    if let Some(client) = request.conn_data::<Client>() {
        client.stream();
    }
    let output = Output::new(shared, actix_rt::spawn(storing.run()));
    started.await.map_err(|_| Problem::new(Kind::Internal))??;
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").streaming(output))
}

impl From<Told> for Verdicts {
    fn from(told: Told) -> Self {
        match told {
            Told::Ranges => Self::Ranges,
            Told::Problems => Self::Problems,
            Told::Each => Self::Each,
        }
    }
}

impl From<Then> for OnConflict {
    fn from(then: Then) -> Self {
        match then {
            Then::Continue => Self::Continue,
            Then::Stop => Self::Stop,
        }
    }
}
