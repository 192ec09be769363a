//! Content negotiation: which of the offered media types a client accepts best (RFC 9110, section 12.5.1).

use actix_web::{
    HttpRequest,
    http::header::{Accept, Header as _},
    mime::{Mime, STAR},
};

use super::problem::{Kind, Problem};

/// Picks the offered media type that the client accepts best. Without the header `Accept`, and among equals, it is
/// the first.
///
/// # Errors
/// [`Kind::NotAcceptable`] when the client accepts none of them, [`Kind::InvalidRequest`] when the header cannot be
/// understood.
pub fn best(request: &HttpRequest, offered: &[&'static str]) -> Result<&'static str, Problem> {
    let accept = Accept::parse(request)
        .map_err(|_| Problem::because(Kind::InvalidRequest, "The header Accept cannot be understood."))?;
    let Some(first) = offered.first().filter(|_| accept.is_empty()) else {
        let mut best = None;
        for media_type in offered {
            let quality = quality(&accept, media_type);
            if quality > 0 && best.is_none_or(|(found, _)| quality > found) {
                best = Some((quality, *media_type));
            }
        }
        return best.map(|(_, media_type)| media_type).ok_or(Problem::new(Kind::NotAcceptable));
    };
    Ok(first)
}

/// How much the client wants this media type, in thousandths. Of several ranges that include it, the most specific
/// one counts.
fn quality(accept: &Accept, media_type: &str) -> u16 {
    let ranges = accept.iter().filter_map(|item| {
        let specificity = specificity(&item.item, media_type)?;
        // `Quality` shows itself only as a text: `1`, or `0.` and up to three digits.
        let thousandths = item.quality.to_string().parse::<f32>().unwrap_or(0.0) * 1000.0;
        Some((specificity, thousandths.round() as u16))
    });
    ranges.max().map_or(0, |(_, quality)| quality)
}

/// How precisely a range names a media type; `None` if it does not include it.
fn specificity(range: &Mime, media_type: &str) -> Option<u8> {
    let (kind, subtype) = media_type.split_once('/')?;
    // A subtype such as `jwk+json` has its suffix in another part of the range.
    if range.essence_str() == media_type {
        Some(2)
    } else if range.subtype() == STAR && range.type_() == kind && !subtype.is_empty() {
        Some(1)
    } else {
        (range.type_() == STAR && range.subtype() == STAR).then_some(0)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    const OFFERED: [&str; 2] = ["application/json", "application/octet-stream"];

    fn picked(accept: &str) -> Result<&'static str, Kind> {
        let request = TestRequest::default().insert_header(("Accept", accept)).to_http_request();
        best(&request, &OFFERED).map_err(|problem| problem.kind)
    }

    #[test]
    fn the_most_specific_range_decides_and_the_first_offer_wins_among_equals() {
        assert_eq!(best(&TestRequest::default().to_http_request(), &OFFERED), Ok(OFFERED[0]));
        for (accept, place) in [
            ("*/*", 0),
            ("application/*", 0),
            ("application/octet-stream", 1),
            ("application/json;q=0.5, application/octet-stream", 1),
            ("application/octet-stream;q=0.1, */*;q=0.001", 1),
            ("application/json;q=0, */*", 1),
            ("text/html, application/xhtml+xml, */*;q=0.8", 0),
        ] {
            assert_eq!(picked(accept), Ok(OFFERED[place]), "{accept}");
        }
        for accept in ["text/html", "application/json;q=0", "application/jsonp"] {
            assert_eq!(picked(accept), Err(Kind::NotAcceptable), "{accept}");
        }
    }
}
