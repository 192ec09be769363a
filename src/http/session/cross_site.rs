//! Cross-site requests: what pages of other sites make a browser send with the cookie, though their user knows nothing
//! of it.

use actix_web::{
    HttpRequest,
    http::{Method, header::HeaderMap},
};

use crate::http::{
    origin,
    problem::{Kind, Problem},
};

/// Says from where a browser sends a request (W3C Fetch Metadata). Pages cannot set it.
const SITE: &str = "sec-fetch-site";

/// Refuses a request by cookie unless the service's own page, or the user's own hand, has sent it. Methods that change
/// nothing may come without a word about that, as from old browsers, because other pages cannot read the answer.
///
/// # Errors
/// [`Kind::CrossSiteRequest`].
pub fn check(request: &HttpRequest) -> Result<(), Problem> {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
    judge(request, is_safe)
}

/// Refuses a request to sign in that another page has sent. Programs other than browsers say nothing, and may sign in.
///
/// # Errors
/// [`Kind::CrossSiteRequest`].
pub fn check_sign_in(request: &HttpRequest) -> Result<(), Problem> {
    judge(request, true)
}

/// `passes_silent`: whether a request passes whose headers do not say who sent it.
fn judge(request: &HttpRequest, passes_silent: bool) -> Result<(), Problem> {
    let passes = from_own_page(request.headers()).unwrap_or(passes_silent);
    if passes { Ok(()) } else { Err(Problem::new(Kind::CrossSiteRequest)) }
}

/// Whether the service's own page, or the user's own hand, has sent a request; `None` if its headers do not say so. On
/// plain HTTP, browsers send [`SITE`] only to their own machine.
fn from_own_page(headers: &HeaderMap) -> Option<bool> {
    match headers.get(SITE) {
        Some(site) => Some(site == "same-origin" || site == "none"),
        None => origin::is_own(headers),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn passes(method: Method, headers: &[(&'static str, &'static str)]) -> bool {
        let mut request = TestRequest::default().method(method).insert_header(("Host", "s.example:1"));
        for header in headers {
            request = request.insert_header(*header);
        }
        check(&request.to_http_request()).is_ok()
    }

    #[test]
    fn a_change_must_come_from_the_own_page_and_a_look_must_not_come_from_another() {
        let own = ("Origin", "https://s.example:1");
        for (headers, reads, changes) in [
            (&[][..], true, false),
            (&[("Sec-Fetch-Site", "same-origin")], true, true),
            (&[("Sec-Fetch-Site", "none")], true, true),
            (&[("Sec-Fetch-Site", "same-site")], false, false),
            (&[("Sec-Fetch-Site", "cross-site")], false, false),
            (&[("Sec-Fetch-Site", "cross-site"), own], false, false),
            (&[("Sec-Fetch-Site", "")], false, false),
            (&[own], true, true),
            (&[("Origin", "https://s.example")], false, false),
            (&[("Origin", "https://evil.example")], false, false),
            (&[("Origin", "null")], false, false),
        ] {
            assert_eq!(passes(Method::GET, headers), reads, "GET {headers:?}");
            assert_eq!(passes(Method::HEAD, headers), reads, "HEAD {headers:?}");
            for method in [Method::POST, Method::PATCH, Method::DELETE, Method::PUT] {
                assert_eq!(passes(method, headers), changes, "{headers:?}");
            }
        }
    }
}
