//! The pages of the problems, for people who follow a problem's type.

use actix_web::{HttpResponse, http::header::ContentType, web::Path};

use super::problem::{Kind, Problem};

/// All problems, one a line.
#[utoipa::path(
    get, path = "/problems", operation_id = "list_problems", tag = "problems",
    responses((status = 200, description = "Status and name of each", content_type = "text/plain", body = String))
)]
pub async fn list() -> HttpResponse {
    let lines = Kind::ALL.iter().map(|kind| format!("{} {}\n", kind.status().as_u16(), kind.slug()));
    text(lines.collect())
}

/// One problem, explained.
#[utoipa::path(
    get, path = "/problems/{slug}", operation_id = "read_problem", tag = "problems",
    params(("slug" = String, Path, description = "The name of the problem")),
    responses((status = 200, description = "What it means", content_type = "text/plain", body = String))
)]
pub async fn one(slug: Path<String>) -> Result<HttpResponse, Problem> {
    let found = Kind::ALL.iter().find(|kind| kind.slug() == *slug);
    let kind = found.ok_or(Problem::new(Kind::NotFound))?;
    Ok(text(format!("{}: {}.\n\n{}\n", kind.status().as_u16(), kind.title(), kind.explanation().trim())))
}

fn text(body: String) -> HttpResponse {
    HttpResponse::Ok().insert_header(ContentType::plaintext()).body(body)
}
