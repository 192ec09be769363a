//! The header Content-Type.

use actix_web::{HttpRequest, http::header::CONTENT_TYPE};

/// Whether the body is said to have one of these media types, whatever their parameters.
pub fn is_one_of(request: &HttpRequest, media_types: &[&str]) -> bool {
    let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    media_types.iter().any(|media_type| essence.eq_ignore_ascii_case(media_type))
}
