//! `GET /v1/signatures`: the feed. Every signature, from a position on, in four media types.

mod following;
mod form;
mod options;
mod pages;
mod streaming;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CONTENT_TYPE, HeaderName},
    web::Data,
};

use self::{
    following::Following,
    form::Form,
    options::{Options, Wanted, last_event_id},
    pages::Pages,
    streaming::Streaming,
};
use super::{
    accept,
    app::App,
    caller::Caller,
    problem::{Kind, Problem},
    query::Query,
    waits::ANY,
};
use crate::{
    domain::Position,
    formats::feed::Refusal,
    store::{Store, StoreError},
};

/// The position behind what an answer has.
const POSITION: HeaderName = HeaderName::from_static("signwave-position");

/// Every signature behind a position, in the order of the feed.
///
/// Each row has the fields of 'signwave export', with the id of the record as a number, and a `position`. A client that
/// keeps the position of the last row that it has processed, and sends it as `after`, gets every signature once. An answer
/// ends at the end of the feed, or after `limit` rows; the header Signwave-Position has the position behind it. As
/// NDJSON, the last line is `{"end":true,"signatures":N,"position":P}`: if it is missing, the answer was cut off. As a
/// CloudEvents batch, an answer is what HTTP Feeds (http-feeds.org) has: an empty array is the end of the feed. As
/// Server-Sent Events, the answer does not end, and the position is the id of each event. Four answers without a limit
/// are sent at a time.
#[utoipa::path(
    get,
    path = "/v1/signatures",
    operation_id = "export_signatures",
    tag = "records",
    params(
        Options,
        ("Last-Event-ID" = Option<String>, Header, nullable = false, description = "As Server-Sent Events: the id of the last event that the client saw, instead of `after`"),
    ),
    responses(
        (
            status = 200,
            description = "A row for each signature",
            headers(("Signwave-Position" = String, description = "The position behind the last row")),
            content(
                (String = "application/x-ndjson"),
                (String = "text/csv"),
                (String = "application/cloudevents-batch+json"),
                (String = "text/event-stream"),
            )
        ),
        (status = 409, description = "The feed does not have this position: the database was restored or made anew"),
        (status = 503, description = "Too many answers are being sent already"),
    )
)]
pub async fn signatures(
    request: HttpRequest,
    app: Data<App>,
    caller: Caller,
    Query(options): Query<Options>,
) -> Result<HttpResponse, Problem> {
    app.stopping().refuse()?;
    let media_type = accept::best(&request, &Form::MEDIA_TYPES)?;
    let form = Form::of(media_type);
    let wanted = options.wanted(form, last_event_id(&request, form)?)?;
    if form == Form::Events {
        return Following::begin(&app, caller, wanted).await;
    }
    let (pages, end) = begin(&app, wanted).await?;
    let place = match wanted.limit {
        None => app.limits().exports.take().await?,
        Some(_) => app.limits().pages.take().await?,
    };
    let mut streaming = Streaming::new(&app, caller, pages, place);
    // The first page comes before the head of the answer, so that a database that is away is an error.
    let first = streaming.page().await?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header((POSITION, end.to_string()))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(streaming.stream(first)))
}

/// Begins an answer. One that would have no rows waits for some, if that is wanted.
async fn begin(app: &App, wanted: Wanted) -> Result<(Pages, Position), Problem> {
    let look = async || {
        let begun = app.read(move |store: &dyn Store| Pages::begin(store, wanted)).await?;
        begun.map_err(refused)
    };
    if !wanted.wait.is_zero() {
        let place = app.waits().place()?;
        let look = async || Ok(Some(look().await?).filter(|(pages, _)| !pages.is_empty()));
        if let Some(begun) = place.wait(ANY, wanted.wait, app.stopping().begun(), look).await? {
            return Ok(begun);
        }
    }
    look().await
}

/// Why the feed has nothing behind a position. The text does not repeat the position that the client sent.
fn refused(refusal: Refusal) -> Problem {
    let detail = match refusal {
        Refusal::OtherFeed(_, feed) => format!(
            "The position is one of another feed. That of this database is {feed}: it was made anew, or was given \
             another id after a restore."
        ),
        Refusal::Ahead(_, end) => format!(
            "The feed ends at {end}, before this position: an older backup was restored, or a standby that lagged has \
             taken over."
        ),
    };
    Problem::because(Kind::PositionUnknown, detail)
}

/// A result of reading that may be refused.
type Begun<T> = Result<Result<(T, Position), Refusal>, StoreError>;
