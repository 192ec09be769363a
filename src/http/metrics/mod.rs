//! `GET /metrics`: what Prometheus scrapes.

mod publishers;
mod sample;
mod scrape;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{ACCEPT, CONTENT_TYPE},
    web::Data,
};
use prometheus_client::{
    encoding::{prometheus_text, text},
    registry::Registry,
};

use sample::Samples;

use super::{
    app::App,
    meters::PREFIX,
    problem::{Kind, Problem},
};

/// The media type of OpenMetrics, which Prometheus asks for.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What Prometheus scrapes, as OpenMetrics if the client accepts it, otherwise in Prometheus' older text format.
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics", tag = "health",
    responses((status = 200, description = "The metrics", content(
        (String = "text/plain"),
        (String = "application/openmetrics-text"),
    )))
)]
pub async fn metrics(request: HttpRequest, app: Data<App>) -> Result<HttpResponse, Problem> {
    let mut now = Registry::with_prefix(PREFIX);
    now.register_collector(Box::new(Samples(scrape::samples(&app).await)));
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let (kept, mut body) = (&app.meters().registry, String::new());
    let (written, media_type) = if accept.contains("application/openmetrics-text") {
        let written = text::encode_registry(&mut body, kept)
            .and_then(|()| text::encode_registry(&mut body, &now))
            .and_then(|()| text::encode_eof(&mut body));
        (written, OPEN_METRICS)
    } else {
        let written =
            prometheus_text::encode(&mut body, kept).and_then(|()| prometheus_text::encode(&mut body, &now));
        (written, prometheus_text::CONTENT_TYPE)
    };
    written.map_err(|_| Problem::new(Kind::Internal))?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, media_type)).body(body))
}
