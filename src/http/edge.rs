//! The edge: what happens to every request before it reaches a handler, and to every answer before it leaves.

use std::sync::Arc;

use actix_web::{
    Error, HttpMessage as _, HttpResponse, ResponseError as _,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderName, HeaderValue,
            ORIGIN, RETRY_AFTER, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
        },
    },
    middleware::Next,
    web::Bytes,
};
use tokio::time::Instant;

use super::{
    app::App,
    connection::{Busy, Client},
    meters::InFlight,
    origin,
    problem::{Kind, Problem},
    request_id::{HEADER, Ids, RequestId},
    route::Matched,
};

/// The names by which the service may be called, and the pages that may call it.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Host names besides IP addresses and `localhost`.
    pub names: Vec<String>,
    /// Origins of pages, such as `https://example.com`.
    pub origins: Vec<String>,
}

/// What the edge needs.
#[derive(Clone)]
pub struct Outside {
    /// The state of the API.
    pub app: App,
    /// For whom it answers.
    pub hosts: Arc<Hosts>,
    /// Makes the ids of requests.
    pub ids: Arc<Ids>,
    /// Whether the dashboard is answered.
    pub has_dashboard: bool,
}

/// Answers a request: gives it an id, checks its host and origin, and completes problems.
pub async fn edge(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    outside: Outside,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = RequestId::of(request.headers(), &outside.ids);
    request.extensions_mut().insert(id.clone());
    let (began, app) = (Instant::now(), outside.app.clone());
    let lasting = (request.request().conn_data::<Client>().map(Client::begin), app.meters().begin());
    let from = request.headers().get(ORIGIN).cloned();
    let mut response = match outside.hosts.check(&request) {
        Err(problem) => request.into_response(problem.error_response()),
        Ok(Caller::Preflight) => request.into_response(HttpResponse::NoContent().finish()),
        // The request must not be cloned before, because the router changes it.
        Ok(Caller::Ordinary) => next.call(request).await.map_err(known)?.map_into_boxed_body(),
    };
    complete(&mut response, &id);
    let matched = response.request().extensions().get::<Matched>().copied();
    let (route, method) = (matched.map_or("other", |matched| matched.0), method(response.request().method()));
    app.meters().answered(route, method, response.status().as_u16(), began.elapsed());
    if let Some(from) = from {
        outside.hosts.allow(response.response_mut(), &from);
    }
    Ok(response.map_body(|_, body| BoxBody::new(Lasting { body, _until_sent: lasting })))
}

/// The method as a label: there are few, whatever clients send.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The problem that an error of actix stands for. Ours never come this way, because the gate answers them.
fn known(error: Error) -> Error {
    let kind = match error.as_response_error().status_code() {
        _ if error.as_error::<Problem>().is_some() => return error,
        StatusCode::NOT_FOUND => Kind::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Kind::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Kind::ContentTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Kind::UnsupportedMediaType,
        status if status.is_client_error() => Kind::InvalidRequest,
        _ => {
            log::error!("api: {error}");
            Kind::Internal
        }
    };
    Problem::new(kind).into()
}

/// Writes the body of a problem, and the headers that every answer has.
fn complete(response: &mut ServiceResponse<BoxBody>, id: &RequestId) {
    let problem = response.response_mut().extensions_mut().remove::<Problem>();
    if let Some(problem) = problem {
        if problem.kind.status().is_server_error() {
            log::warn!("api: request {}: {problem}", id.as_str());
        }
        let empty = HttpResponse::new(problem.kind.status());
        let mut head = std::mem::replace(response.response_mut(), empty).drop_body();
        let headers = head.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = problem.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if problem.kind == Kind::InvalidToken {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"signwave\""));
        }
        *response.response_mut() = head.set_body(BoxBody::new(Bytes::from(problem.body(id.as_str()))));
    }
    let headers = response.headers_mut();
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let value = HeaderValue::from_str(id.as_str()).expect("an id has no other characters");
    headers.insert(HeaderName::from_static(HEADER), value);
}

/// Who sends a request.
enum Caller {
    /// A browser asks whether a page of another origin may send a request.
    Preflight,
    /// Any other client.
    Ordinary,
}

impl Hosts {
    /// Refuses requests for other hosts, because a foreign name that resolves to this machine (DNS rebinding) would
    /// give its pages access, and requests from pages of other origins.
    fn check(&self, request: &ServiceRequest) -> Result<Caller, Problem> {
        let headers = request.headers();
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let is_unix = request.request().conn_data::<Client>().is_some_and(|client| client.address.is_none());
        if !is_unix && !host.is_some_and(|host| self.serves(host)) {
            return Err(Problem::new(Kind::MisdirectedRequest));
        }
        let Some(origin) = headers.get(ORIGIN) else { return Ok(Caller::Ordinary) };
        if origin::is_own(headers) != Some(true) && !self.allows(origin) {
            return Err(Problem::new(Kind::ForeignOrigin));
        }
        let asks = request.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        Ok(if asks { Caller::Preflight } else { Caller::Ordinary })
    }

    /// Whether `host`, a name or address with or without a port, is one of ours.
    fn serves(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        bare.parse::<std::net::IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.names.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
    }

    /// Whether pages of this origin may call the API.
    fn allows(&self, origin: &HeaderValue) -> bool {
        self.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
    }

    /// Lets pages of an allowed origin read the answer. Cookies are never allowed.
    fn allow<B>(&self, response: &mut HttpResponse<B>, origin: &HeaderValue) {
        if !self.allows(origin) {
            return;
        }
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(VARY, HeaderValue::from_static("Origin"));
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PATCH, DELETE"));
        let allowed = "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, Prefer";
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
    }
}

/// A body that is being sent. Until it is, the connection is busy, and the request is in flight.
struct Lasting {
    body: BoxBody,
    _until_sent: (Option<Busy>, InFlight),
}

impl MessageBody for Lasting {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_pin_mut().poll_next(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_allowed_names_are_served_and_other_names_are_not() {
        let hosts = Hosts { names: vec!["signer.example".to_owned()], origins: Vec::new() };
        for host in
            ["127.0.0.1:7446", "[::1]:80", "localhost", "LocalHost:1", "signer.example:7446", "10.0.0.1"]
        {
            assert!(hosts.serves(host), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example", "signer.example.evil", "127.0.0.1.evil:80"]
        {
            assert!(!hosts.serves(host), "{host}");
        }
    }
}
