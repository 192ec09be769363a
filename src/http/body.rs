//! Bodies: read within a limit, a budget and deadlines.

use std::time::Duration;

use actix_http::error::PayloadError;
use actix_web::{
    HttpRequest,
    http::header::{CONTENT_ENCODING, CONTENT_LENGTH},
    web::{Bytes, BytesMut, Payload},
};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::{
    budget::{Budget, Share},
    pace::Pace,
    problem::{Kind, Problem},
};

/// How long a body may be silent, and for how long it may be slow in all.
const SILENCE: Duration = Duration::from_secs(10);
/// How long a whole body may take, unless it is streamed.
const WHOLE: Duration = Duration::from_secs(30);

/// A body that was read whole, with its share of the budget.
pub struct Body {
    /// The bytes.
    pub bytes: Bytes,
    _share: Share,
}

/// Reads a whole body of at most `limit` bytes.
///
/// # Errors
/// [`Kind::ContentTooLarge`], [`Kind::UnsupportedMediaType`] for a compressed body, [`Kind::RequestTimeout`],
/// [`Kind::Overloaded`] when the budget is used up, [`Kind::InvalidRequest`] when the body ends too early.
pub async fn whole(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
    budget: &Budget,
) -> Result<Body, Problem> {
    check(request, limit)?;
    let mut arriving = Arriving::new(payload);
    let (mut bytes, mut share, end) = (BytesMut::new(), budget.take(0)?, Instant::now() + WHOLE);
    while let Some(chunk) = arriving.next(end).await? {
        if bytes.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        share.join(budget.take(chunk.len())?);
        bytes.extend_from_slice(&chunk);
    }
    Ok(Body { bytes: bytes.freeze(), _share: share })
}

/// Refuses a body that is compressed, or that says that it is longer than `limit` bytes.
///
/// # Errors
/// [`Kind::ContentTooLarge`], [`Kind::UnsupportedMediaType`].
pub fn check(request: &HttpRequest, limit: usize) -> Result<(), Problem> {
    let headers = request.headers();
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(Problem::because(Kind::UnsupportedMediaType, "Send the body without Content-Encoding."));
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit as u64) { Err(too_large(limit)) } else { Ok(()) }
}

/// A body that comes piece by piece.
pub struct Arriving {
    payload: Payload,
    pace: Pace,
}

impl Arriving {
    /// The body of a request.
    pub fn new(payload: Payload) -> Self {
        Self { payload, pace: Pace::default() }
    }

    /// The next piece; `None` at the end of the body. It must come before `end`, and soon, and the client must not be
    /// slow on the whole. Dropping this future loses nothing.
    ///
    /// # Errors
    /// [`Kind::RequestTimeout`], or [`Kind::InvalidRequest`] when the body ends too early.
    pub async fn next(&mut self, end: Instant) -> Result<Option<Bytes>, Problem> {
        let began = Instant::now();
        match timeout_at(end.min(began + SILENCE), self.payload.next()).await {
            Err(_) => Err(Problem::new(Kind::RequestTimeout)),
            Ok(None) => Ok(None),
            Ok(Some(Ok(bytes))) if self.pace.is_too_slow_after(began.elapsed(), bytes.len(), SILENCE) => {
                Err(Problem::new(Kind::RequestTimeout))
            }
            Ok(Some(Ok(bytes))) => Ok(Some(bytes)),
            Ok(Some(Err(PayloadError::Overflow))) => Err(Problem::new(Kind::ContentTooLarge)),
            Ok(Some(Err(_))) => Err(Problem::because(Kind::InvalidRequest, "The body ended before its end.")),
        }
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::because(Kind::ContentTooLarge, format!("The body may have {limit} bytes."))
}
