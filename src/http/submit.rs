//! `POST /v1/records`: one record.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{HeaderName, LOCATION, RETRY_AFTER},
    },
    web::{Data, Payload},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    answer,
    app::App,
    body::{self, Body},
    caller::Caller,
    idempotency_key,
    media_type::is_one_of,
    names::Bytes,
    problem::{Kind, Problem},
    query::Query,
    shapes::{self, RecordState, SignatureBody},
    waits::{self, Place},
};
use crate::{
    actors::{
        intake::{self, SubmitError},
        messages::Incoming,
    },
    domain::{InsertVerdict, RecordId, TokenId},
    formats::rows::{self, check_external_id, max_object, object},
    store::StoreError,
};

/// How the record is named, if its body does not say so.
#[derive(Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
#[derive(Default)]
pub struct Options {
    /// The client's own name for a record that is sent as application/octet-stream.
    external_id: Option<String>,
    /// Whether a record without a name is taken. Sent again, it is added again.
    anonymous: bool,
}

/// A record to sign. The payload is given in one of two forms.
#[derive(ToSchema)]
#[schema(as = NewRecord)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it documents what formats::rows::object reads")]
pub struct NewRecordBody {
    /// The client's own name for it, unique, of up to 1024 bytes. Sending it again is harmless.
    #[schema(min_length = 1, max_length = 1024)]
    external_id: Option<String>,
    /// The bytes to be signed, as text: its UTF-8 bytes are signed.
    payload: Option<String>,
    /// The bytes to be signed, in base64 with padding.
    payload_base64: Option<String>,
}

/// What became of a record.
#[derive(Serialize, ToSchema)]
#[schema(as = SubmittedRecord)]
pub struct SubmittedBody {
    /// The id that the database assigned.
    #[schema(example = "17")]
    id: String,
    /// Its name.
    external_id: Option<String>,
    /// Whether it was there before.
    verdict: Verdict,
    /// Whether it is signed.
    state: RecordState,
    /// Its signature, once it is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<SignatureBody>,
}

/// What became of a record.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// It is new.
    Inserted,
    /// A record with the same name and the same payload was there before.
    AlreadyThere,
}

/// Adds a record, and answers after the commit that stores it.
///
/// A record has a name: its external_id, or an Idempotency-Key, which counts for this token only and never expires.
/// So sending it again is harmless, at any later time: if the answer is lost, send the record again until the status
/// is 2xx. With `Prefer: wait=N` the answer comes when the record is signed, or after N seconds.
#[utoipa::path(
    post,
    path = "/v1/records",
    operation_id = "submit_record",
    tag = "records",
    params(
        Options,
        ("Idempotency-Key" = Option<String>, Header, nullable = false, description = "The record's name, in quotes, instead of an external_id"),
        ("Prefer" = Option<String>, Header, nullable = false, description = "wait=N: answer with the signature, within N seconds (30 at most)"),
    ),
    request_body(content(
        (NewRecordBody = "application/json"),
        (Bytes = "application/octet-stream"),
    )),
    responses(
        (status = 201, description = "The record is new", body = SubmittedBody),
        (status = 200, description = "The same record was there before", body = SubmittedBody),
        (status = 202, description = "The record is stored, but was not signed within the wait", body = SubmittedBody),
        (status = 400, description = "The record has no name, or is not valid"),
        (status = 409, description = "The external_id belongs to another payload"),
        (status = 413, description = "The payload is too large"),
        (status = 415, description = "The body is compressed, or neither JSON nor application/octet-stream"),
        (status = 422, description = "The Idempotency-Key belongs to another payload"),
        (status = 429, description = "This client sends too much"),
        (status = 503, description = "Send it again: the service is overloaded or stopping, or the database does not answer"),
    )
)]
pub async fn submit(
    app: Data<App>,
    caller: Caller,
    request: HttpRequest,
    Query(options): Query<Options>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    app.stopping().refuse()?;
    let wait = waits::wished(&request)?.filter(|wait| !wait.is_zero());
    // A place is taken before the record is stored, so that a client that is refused has stored nothing.
    let place = wait.map(|wait| app.waits().place().map(|place| (place, wait))).transpose()?;
    let (record, body) = read(&app, &request, &options, payload).await?;
    let record = named(record, &caller.token(), &request, &options)?;
    let external_id = record.external_id.clone();
    let is_keyed = external_id.as_deref().is_some_and(idempotency_key::is_reserved);
    let (id, verdict) = match store(&app, record).await? {
        InsertVerdict::Inserted(id) => (id, Verdict::Inserted),
        InsertVerdict::AlreadyThere(id) => (id, Verdict::AlreadyThere),
        InsertVerdict::Conflict if is_keyed => return Err(Problem::new(Kind::IdempotencyKeyReused)),
        InsertVerdict::Conflict => return Err(Problem::new(Kind::ExternalIdConflict)),
    };
    drop(body); // its memory is free while the request waits
    answer(&app, Stored { id, external_id, verdict }, place).await
}

/// Reads the record from the body.
async fn read(
    app: &App,
    request: &HttpRequest,
    options: &Options,
    payload: Payload,
) -> Result<(Incoming, Body), Problem> {
    let max = app.payload_limit().await?;
    if is_one_of(request, &["application/octet-stream"]) {
        let body = body::whole(request, payload, max, app.budget()).await?;
        if let Some(name) = &options.external_id {
            check_external_id(name).map_err(|flaw| invalid(&flaw))?;
        }
        return Ok((
            Incoming { external_id: options.external_id.clone(), payload: body.bytes.clone() },
            body,
        ));
    }
    if !is_one_of(request, &["application/json"]) {
        let detail = "Send a record as application/json, or its bytes as application/octet-stream.";
        return Err(Problem::because(Kind::UnsupportedMediaType, detail));
    }
    if options.external_id.is_some() {
        let detail = "The name of a record in JSON is its field external_id, and no parameter of the query.";
        return Err(Problem::because(Kind::InvalidRequest, detail));
    }
    let body = body::whole(request, payload, max_object(max), app.budget()).await?;
    let record = object(&body.bytes, max).map_err(|flaw| invalid(&flaw))?;
    Ok((Incoming { external_id: record.external_id, payload: record.payload.into() }, body))
}

fn invalid(flaw: &rows::Flaw) -> Problem {
    let kind = if flaw.is_too_large() { Kind::ContentTooLarge } else { Kind::InvalidRequest };
    Problem::because(kind, flaw.sentence())
}

/// Gives the record the name that the request says, in one of three ways.
fn named(
    record: Incoming,
    token: &TokenId,
    request: &HttpRequest,
    options: &Options,
) -> Result<Incoming, Problem> {
    let mut keys = request.headers().get_all(HeaderName::from_static("idempotency-key"));
    match (&record.external_id, keys.next(), options.anonymous) {
        (Some(name), None, false) => {
            idempotency_key::check_unreserved(name)?;
            Ok(record)
        }
        (None, Some(key), false) => {
            let name = idempotency_key::name(token, key.as_bytes()).ok().filter(|_| keys.next().is_none());
            let external_id = name.ok_or(Problem::because(Kind::InvalidRequest, KEY))?;
            Ok(Incoming { external_id: Some(external_id), ..record })
        }
        (None, None, true) => Ok(record),
        (None, None, false) => Err(Problem::new(Kind::IdentityMissing)),
        _ => Err(Problem::because(Kind::InvalidRequest, ONE_NAME)),
    }
}

const KEY: &str = "The Idempotency-Key must be one text of 1 to 255 ASCII characters in double quotes.";
const ONE_NAME: &str = "Only one of external_id, Idempotency-Key and anonymous=true may be given.";

/// Stores the record together with those of other requests.
async fn store(app: &App, record: Incoming) -> Result<InsertVerdict, Problem> {
    let length = record.payload.len();
    match intake::submit(app.intake(), record).await {
        Ok(verdict) => Ok(verdict),
        Err(SubmitError::Overloaded) => Err(Problem::overloaded()),
        // The limit of the database was lowered a moment ago.
        Err(SubmitError::Store(StoreError::Refused(_))) if app.fresh_payload_limit().await? < length => {
            Err(Problem::new(Kind::ContentTooLarge))
        }
        Err(SubmitError::Store(error)) => Err(error.into()),
    }
}

/// A record that is stored.
struct Stored {
    id: RecordId,
    external_id: Option<String>,
    verdict: Verdict,
}

/// Answers, after the wait if there is one. The record is stored, so that no failure from here on is an error.
async fn answer(app: &App, stored: Stored, wait: Option<(Place, Duration)>) -> Result<HttpResponse, Problem> {
    let id = stored.id;
    let seconds = wait.as_ref().map(|(_, wait)| wait.as_secs());
    let look = async || {
        let found = app.record(id).await?.map(|row| (RecordState::of(&row), shapes::signature(&row)));
        Ok(found.filter(|(state, _)| *state != RecordState::Waiting))
    };
    let found = match wait {
        Some((place, wait)) => place.wait(id, wait, app.stopping().begun(), look).await.unwrap_or(None),
        None if matches!(stored.verdict, Verdict::Inserted) => None,
        None => look().await.unwrap_or(None),
    };
    let status = match (seconds, &found, stored.verdict) {
        (Some(_), None, _) => StatusCode::ACCEPTED,
        (_, _, Verdict::Inserted) => StatusCode::CREATED,
        (_, _, Verdict::AlreadyThere) => StatusCode::OK,
    };
    let mut response = HttpResponse::build(status);
    response.insert_header((LOCATION, format!("/v1/records/{id}")));
    if let Some(seconds) = seconds {
        response.insert_header(("preference-applied", format!("wait={seconds}")));
    }
    if status == StatusCode::ACCEPTED {
        response.insert_header((RETRY_AFTER, 1));
    }
    let (state, signature) = found.unwrap_or((RecordState::Waiting, None));
    let Stored { external_id, verdict, .. } = stored;
    Ok(answer::json(response, &SubmittedBody { id: id.to_string(), external_id, verdict, state, signature }))
}
