//! Answers: JSON bodies.

use actix_web::{HttpResponse, HttpResponseBuilder, http::header::ContentType};
use serde::Serialize;

/// Completes an answer with a JSON body.
pub fn json(mut response: HttpResponseBuilder, body: &impl Serialize) -> HttpResponse {
    let bytes = serde_json::to_vec(body).expect("the API's types can be written as JSON");
    response.insert_header(ContentType::json()).body(bytes)
}

/// 200 with a JSON body.
pub fn ok(body: &impl Serialize) -> HttpResponse {
    json(HttpResponse::Ok(), body)
}
