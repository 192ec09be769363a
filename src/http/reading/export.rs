//! `GET /v1/signatures`: every signature, as a stream.

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
    formats::signatures::Format,
    http::{
        accept,
        app::App,
        limits::Place,
        problem::{Kind, Problem},
        query::Query,
    },
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
    Query(options): Query<Options>,
) -> Result<HttpResponse, Problem> {
    app.stopping().refuse()?;
    let media_type = accept::best(&request, &[NDJSON, "application/jsonl", CSV])?;
    let format = if media_type == CSV { Format::Csv } else { Format::Jsonl };
    let place = app.limits().exports.take().await?;
    let mut streaming = Streaming {
        app: App::clone(&app),
        export: Some(Export::new(format, options.with_payload)),
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
    /// `None` after the last page.
    export: Option<Export>,
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
        let mut export = self.export.take().ok_or(Problem::new(Kind::Internal))?;
        self.app.stopping().refuse()?;
        let read = self.app.read(move |store| {
            let page = export.next(store)?;
            Ok((page, export))
        });
        let (Page { mut text, total }, export) = read.await?;
        match total {
            None => self.export = Some(export),
            Some(signatures) if self.format == Format::Jsonl => {
                text.extend_from_slice(
                    json!({ "end": true, "signatures": signatures }).to_string().as_bytes(),
                );
                text.push(b'\n');
            }
            Some(_) => {}
        }
        Ok(text.into())
    }
}
