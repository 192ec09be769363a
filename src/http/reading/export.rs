//! `GET /v1/signatures`: every signature, as a stream.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_rt::time::sleep;
use actix_web::{
    Error, HttpRequest, HttpResponse,
    http::header::CONTENT_TYPE,
    web::{Bytes, Data},
};
use futures_util::stream::{Stream, unfold};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::page::{Export, Page};
use crate::{
    domain::Scope,
    formats::signatures::Format,
    http::{
        accept,
        app::App,
        caller::{self, Caller},
        limits::Place,
        problem::{Kind, Problem},
        query::Query,
    },
    store::Store,
};

/// What to export.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Options {
    /// Whether to add the payloads.
    #[serde(default)]
    with_payload: bool,
}

/// The pause after which an export asks again, when too many others read.
const AGAIN: Duration = Duration::from_millis(100);

const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv";

/// Every signature, in the order of the batches.
///
/// Each line has the fields of 'signwave export', with the id of the record as a number. As NDJSON, the last line is
/// `{"end":true,"signatures":N}`: if it is missing, the stream was cut off. As CSV, only the end of the chunked body
/// shows that. Batches that are signed while the stream runs may be missing. Four streams may run at a time.
#[utoipa::path(
    get,
    path = "/v1/signatures",
    operation_id = "export_signatures",
    tag = "records",
    params(Options),
    responses(
        (status = 200, description = "One line for each signature", content(
            (String = "application/x-ndjson"),
            (String = "text/csv"),
        )),
        (status = 503, description = "Four exports run already"),
    )
)]
pub async fn export(
    request: HttpRequest,
    app: Data<App>,
    caller: Caller,
    Query(options): Query<Options>,
) -> Result<HttpResponse, Problem> {
    app.stopping().refuse()?;
    let media_type = accept::best(&request, &[NDJSON, "application/jsonl", CSV])?;
    let format = if media_type == CSV { Format::Csv } else { Format::Jsonl };
    let place = app.limits().exports.take().await?;
    let mut streaming = Streaming {
        app: App::clone(&app),
        caller,
        export: Some(Arc::new(Mutex::new(Export::new(format, options.with_payload)))),
        format,
        _place: place,
    };
    // The first page comes before the head of the answer, so that a database that is away is an error.
    let first = streaming.page().await?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(pages(first, streaming)))
}

/// An export that is being sent.
struct Streaming {
    app: App,
    caller: Caller,
    /// `None` after the last page.
    export: Option<Arc<Mutex<Export>>>,
    format: Format,
    _place: Place,
}

/// The pages, each read when the one before it was sent. An error cuts the connection off, so that the client sees
/// that something is missing.
fn pages(first: Bytes, streaming: Streaming) -> impl Stream<Item = Result<Bytes, Error>> {
    unfold((Some(first), streaming), async |(first, mut streaming)| {
        if let Some(first) = first {
            return Some((Ok(first), (None, streaming)));
        }
        loop {
            streaming.export.as_ref()?;
            match streaming.page().await {
                // Nothing is sent for an empty page, because an empty chunk would be the end of the body.
                Ok(page) if page.is_empty() => {}
                page => return Some((page.map_err(Error::from), (None, streaming))),
            }
        }
    })
}

impl Streaming {
    async fn page(&mut self) -> Result<Bytes, Problem> {
        let export = self.export.take().ok_or(Problem::new(Kind::Internal))?;
        if !caller::is_in_force(&self.caller, Scope::Read, &self.app).await {
            return Err(Problem::new(Kind::InvalidToken));
        }
        let Page { mut text, total } = self.read(&export).await?;
        match total {
            None => self.export = Some(export),
            Some(signatures) if self.format == Format::Jsonl => {
                let end = json!({ "end": true, "signatures": signatures });
                text.extend_from_slice(format!("{end}\n").as_bytes());
            }
            Some(_) => {}
        }
        Ok(text.into())
    }

    /// Reads a page. When too many others read, it waits: an export that has begun must not end because of them.
    async fn read(&self, export: &Arc<Mutex<Export>>) -> Result<Page, Problem> {
        loop {
            self.app.stopping().refuse()?;
            let export = Arc::clone(export);
            let read =
                move |store: &dyn Store| export.lock().unwrap_or_else(PoisonError::into_inner).next(store);
            match self.app.read(read).await {
                Err(problem) if problem.kind == Kind::Overloaded => sleep(AGAIN).await,
                page => return page,
            }
        }
    }
}
