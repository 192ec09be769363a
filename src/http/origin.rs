//! The header Origin (RFC 6454): which page has made a browser send a request.

use actix_web::http::header::{HOST, HeaderMap, ORIGIN};

/// Whether a page of this service has sent a request: its origin has the host that the request is for. `None` without
/// the header.
pub fn is_own(headers: &HeaderMap) -> Option<bool> {
    let origin = headers.get(ORIGIN)?.to_str().ok().and_then(|origin| origin.split_once("://"));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    Some(origin.is_some_and(|(_, own)| Some(own) == host))
}
