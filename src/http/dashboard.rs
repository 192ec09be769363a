//! `GET /` and `GET /assets/{path}`: the dashboard, a page that is a client of this API. Its files are in the folder
//! `dashboard/`, and the program has them embedded.

use std::borrow::Cow;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{
        CONTENT_SECURITY_POLICY, CONTENT_TYPE, EntityTag, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    },
    web::{Bytes, Path},
};
use rust_embed::{Embed, EmbeddedFile};

use super::{
    connection::is_encrypted,
    etag::{self, Freshness},
    problem::{Kind, Problem},
};

#[derive(Embed)]
#[folder = "dashboard/"]
struct Files;

/// Where the page is answered, and where its other files are.
pub const PATTERNS: [&str; 2] = ["/", "/assets/{path:.*}"];

/// The file at `/`. The others refer to each other by addresses that are relative to it.
const PAGE: &str = "index.html";

/// The page loads nothing from outside, has no code but that of its files, and is shown in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// For a year, browsers use no plain HTTP for a host that they have seen over TLS (RFC 6797).
const TLS_ONLY: &str = "max-age=31536000";

/// `GET /`: the page.
pub async fn page(request: HttpRequest) -> Result<HttpResponse, Problem> {
    serve(&request, PAGE)
}

/// `GET /assets/{path}`: another file of the page.
pub async fn asset(request: HttpRequest, path: Path<String>) -> Result<HttpResponse, Problem> {
    if *path == PAGE { Err(Problem::new(Kind::NotFound)) } else { serve(&request, &path) }
}

fn serve(request: &HttpRequest, path: &str) -> Result<HttpResponse, Problem> {
    // What is embedded is found by its whole name: no path leads out of the folder.
    let file = Files::get(path).ok_or(Problem::new(Kind::NotFound))?;
    etag::answer(request, tag(&file), Freshness::Checked, |mut response| {
        response
            .insert_header((CONTENT_TYPE, media_type(&file)))
            .insert_header((CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((REFERRER_POLICY, "no-referrer"));
        if is_encrypted(request) {
            response.insert_header((STRICT_TRANSPORT_SECURITY, TLS_ONLY));
        }
        response.body(match file.data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => bytes.into(),
        })
    })
}

fn tag(file: &EmbeddedFile) -> EntityTag {
    EntityTag::new_strong(data_encoding::BASE64URL_NOPAD.encode(&file.metadata.sha256_hash()[..15]))
}

fn media_type(file: &EmbeddedFile) -> String {
    let name = file.metadata.mimetype();
    if name.starts_with("text/") { format!("{name}; charset=utf-8") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_embedded_and_nothing_else() {
        assert!(Files::iter().any(|name| name == PAGE), "{:?}", Files::iter().collect::<Vec<_>>());
        for outside in ["../Cargo.toml", "./index.html", "/index.html", "", "..", "../dashboard/index.html"] {
            assert!(Files::get(outside).is_none(), "{outside}");
        }
    }

    #[test]
    fn two_files_have_different_tags_and_texts_say_their_encoding() {
        let page = Files::get(PAGE).unwrap();
        assert_eq!(media_type(&page), "text/html; charset=utf-8");
        let other = EmbeddedFile {
            data: b"x".as_slice().into(),
            metadata: rust_embed::Metadata::__rust_embed_new([7; 32], None, None, "image/svg+xml"),
        };
        assert_ne!(tag(&page), tag(&other));
        assert_eq!(media_type(&other), "image/svg+xml");
    }
}
