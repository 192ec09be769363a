//! Request ids: one per request, in the answer and in the log.

use std::{
    fmt::Write as _,
    rc::Rc,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use actix_web::http::header::HeaderMap;

/// The header that carries the id in both directions.
pub const HEADER: &str = "x-request-id";

/// The id of a request: the client's own, if it is short and plain, otherwise a new one.
#[derive(Clone, Debug)]
pub struct RequestId(Rc<str>);

impl RequestId {
    /// The id of the request with these headers. `ids` makes new ids.
    pub fn of(headers: &HeaderMap, ids: &Ids) -> Self {
        let given = headers.get(HEADER).and_then(|value| value.to_str().ok());
        match given.filter(|text| is_plain(text)) {
            Some(text) => Self(text.into()),
            None => Self(ids.next().into()),
        }
    }

    /// The id as a text of letters, digits, `-`, `_` and `.`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_plain(text: &str) -> bool {
    (8..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// Makes ids that no other process makes: a random beginning, and a number.
pub struct Ids {
    beginning: String,
    made: AtomicU64,
}

impl Ids {
    /// A new beginning.
    ///
    /// # Errors
    /// When the operating system has no random numbers.
    pub fn new() -> std::io::Result<Self> {
        let mut random = [0; 6];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
        Ok(Self { beginning: data_encoding::HEXLOWER.encode(&random), made: AtomicU64::new(0) })
    }

    fn next(&self) -> String {
        let mut id = self.beginning.clone();
        let written = write!(id, "-{}", self.made.fetch_add(1, Relaxed));
        written.expect("writing to a text cannot fail");
        id
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn a_plain_id_of_the_client_is_kept_and_any_other_is_replaced() {
        let ids = Ids::new().unwrap();
        let id = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static(HEADER), HeaderValue::from_str(text).unwrap());
            RequestId::of(&headers, &ids).as_str().to_owned()
        };
        assert_eq!(id("client-4_2.a"), "client-4_2.a");
        for bad in ["short", "has blanks in it", "<script>alert(1)</script>", &"x".repeat(65)] {
            assert!(id(bad).starts_with(&ids.beginning), "{bad}");
        }
        assert_ne!(id("short"), id("short"));
    }
}
