//! `GET /docs/`: the reference of the API for people, with a form to try it.

use std::sync::{Arc, LazyLock};

use actix_web::{
    HttpResponse,
    http::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ContentType, LOCATION},
    web::{Bytes, Data, Path},
};
use utoipa_swagger_ui::Config;

use super::problem::{Kind, Problem};

/// A page that other programs' addresses cannot change, and that keeps no token.
static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    let config = Config::from("../openapi.json").validator_url("none");
    Arc::new(config.query_config_enabled(false).persist_authorization(false))
});

/// The page loads nothing from outside. Its styles are written into its elements.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /docs`: to the page.
pub async fn index() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((LOCATION, "docs/index.html")).finish()
}

/// `GET /docs/{file}`: a file of the page.
pub async fn file(file: Path<String>) -> Result<HttpResponse, Problem> {
    let found =
        utoipa_swagger_ui::serve(&file, Arc::clone(&CONFIG)).map_err(|_| Problem::new(Kind::Internal))?;
    let file = found.ok_or(Problem::new(Kind::NotFound))?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, file.content_type))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY));
    if file.gzpipped {
        response.insert_header((CONTENT_ENCODING, "gzip")); // as every browser can read it
    }
    Ok(response.body(file.bytes.into_owned()))
}

/// The OpenAPI document as it is sent, which is made when somebody asks for it.
pub type Document = LazyLock<Bytes>;

/// `GET /openapi.json`: the document that the page shows.
pub async fn openapi(document: Data<Document>) -> HttpResponse {
    HttpResponse::Ok().insert_header(ContentType::json()).body(Bytes::clone(&document))
}
