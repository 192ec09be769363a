//! JSON bodies of requests: read whole, within the budget, and parsed strictly.

use actix_web::{HttpRequest, web::Payload};
use serde::de::DeserializeOwned;

use super::{
    app::App,
    body,
    media_type::is_one_of,
    problem::{Kind, Problem},
};

/// Reads a JSON body of at most `limit` bytes.
///
/// # Errors
/// [`Kind::UnsupportedMediaType`] for another media type, [`Kind::InvalidRequest`] for another shape, and those of
/// [`body::whole`].
pub async fn read<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
    app: &App,
) -> Result<T, Problem> {
    if !is_one_of(request, &["application/json"]) {
        return Err(Problem::because(Kind::UnsupportedMediaType, "Send the body as application/json."));
    }
    let body = body::whole(request, payload, limit, app.budget()).await?;
    // serde would also accept an array, with the fields by position.
    if body.bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::because(Kind::InvalidRequest, "The body must be a JSON object."));
    }
    // The error's text may repeat what was sent, so only the place is told.
    serde_json::from_slice(&body.bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let detail = format!(
            "The body does not have the shape that the reference shows (line {line}, column {column})."
        );
        Problem::because(Kind::InvalidRequest, detail)
    })
}
