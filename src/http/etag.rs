//! Entity tags: clients that have an answer already are told so, instead of being sent it again (RFC 9110, section 13).

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::header::{CACHE_CONTROL, ETag, EntityTag, Header as _, IfNoneMatch, VARY},
};

use super::problem::{Kind, Problem};
use crate::{domain::DigestAlgorithm, signer};

/// How long clients may use an answer again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// For ever: it never changes. Only the client itself may keep it, because others would need a token.
    Immutable,
    /// For five minutes, also in caches that several clients share.
    Public,
    /// Only after it has asked whether it is still the same.
    Checked,
}

impl Freshness {
    fn header(self) -> &'static str {
        match self {
            Self::Immutable => "private, max-age=31536000, immutable",
            Self::Public => "public, max-age=300",
            Self::Checked => "no-cache",
        }
    }
}

/// A strong tag of what `parts` make up, in one form: another form of the same needs another tag.
pub fn tag(form: &str, parts: &[&[u8]]) -> EntityTag {
    let digest = signer::digest(DigestAlgorithm::Sha256, &parts.concat());
    let hash = data_encoding::BASE64URL_NOPAD.encode(&digest.as_bytes()[..15]);
    EntityTag::new_strong(format!("{hash}.{form}"))
}

/// The answer to a request for what `tag` names: without a body for a client that has it already. The builder gets
/// the headers about caching, and `complete` adds the rest.
///
/// # Errors
/// [`Kind::InvalidRequest`] when the header If-None-Match cannot be understood.
pub fn answer(
    request: &HttpRequest,
    tag: EntityTag,
    freshness: Freshness,
    complete: impl FnOnce(HttpResponseBuilder) -> HttpResponse,
) -> Result<HttpResponse, Problem> {
    let is_known = is_known(request, &tag)?;
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header(ETag(tag))
        .insert_header((CACHE_CONTROL, freshness.header()))
        .insert_header((VARY, "Accept"));
    Ok(if is_known { response.finish() } else { complete(response) })
}

fn is_known(request: &HttpRequest, tag: &EntityTag) -> Result<bool, Problem> {
    let known = IfNoneMatch::parse(request).map_err(|_| {
        Problem::because(Kind::InvalidRequest, "The header If-None-Match cannot be understood.")
    })?;
    Ok(match known {
        IfNoneMatch::Any => true,
        IfNoneMatch::Items(tags) => tags.iter().any(|known| known.weak_eq(tag)),
    })
}

#[cfg(test)]
mod tests {
    use actix_web::{http::StatusCode, test::TestRequest};

    use super::*;

    fn status(if_none_match: Option<&str>) -> StatusCode {
        let mut request = TestRequest::default();
        if let Some(value) = if_none_match {
            request = request.insert_header(("If-None-Match", value));
        }
        let request = request.to_http_request();
        let answer =
            answer(&request, tag("j", &[b"x"]), Freshness::Immutable, |mut built| built.body("body"));
        let answer = answer.unwrap();
        assert!(answer.headers().contains_key("etag") && answer.headers().contains_key("cache-control"));
        answer.status()
    }

    #[test]
    fn a_client_that_knows_the_tag_gets_no_body() {
        let known = tag("j", &[b"x"]).to_string();
        assert_eq!(status(None), StatusCode::OK);
        assert_eq!(status(Some(&known)), StatusCode::NOT_MODIFIED);
        assert_eq!(status(Some("*")), StatusCode::NOT_MODIFIED);
        assert_eq!(status(Some(&format!("\"other\", W/{known}"))), StatusCode::NOT_MODIFIED);
        assert_eq!(status(Some("\"other\"")), StatusCode::OK);
        assert_ne!(tag("o", &[b"x"]), tag("j", &[b"x"]), "two forms of the same");
    }
}
