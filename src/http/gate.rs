//! The gate: lets a request through to its handler if the client may make it.

use std::rc::Rc;

use actix_web::{
    Error, HttpMessage as _, HttpRequest, ResponseError as _,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
    web::Data,
};

use super::{
    app::App,
    caller::{self, Caller},
    problem::{Kind, Problem},
    route::{Entry, Matched, Needs, Surface},
};
use crate::domain::Scope;

/// Answers a request for one pattern if the client has what the entry for its method needs. Nothing of the body is
/// read before. Otherwise the answer is a problem.
///
/// # Errors
/// Those of the handler.
pub async fn gate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    entries: Rc<[&'static Entry]>,
    surface: Surface,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let needs = entries.iter().find(|entry| entry.method == *method).map(|entry| entry.needs_at(surface));
    request.extensions_mut().insert(Matched(entries[0].pattern));
    // A method that is not listed is refused by the pattern's default service.
    let caller = match needs {
        Some(Needs::Scope(scope)) => admitted(request.request(), scope).await.map(Some),
        Some(Needs::Session) => caller::of_session(request.request(), app(request.request())).await.map(Some),
        Some(Needs::Nothing) | None => Ok(None),
    };
    match caller {
        Ok(Some(caller)) => _ = request.extensions_mut().insert(caller),
        Ok(None) => {}
        Err(problem) => return Ok(request.into_response(problem.error_response())),
    }
    next.call(request).await.map(ServiceResponse::map_into_boxed_body)
}

fn app(request: &HttpRequest) -> &App {
    request.app_data::<Data<App>>().expect("every application has its state")
}

/// Who sends the request, if it has the scope.
async fn admitted(request: &HttpRequest, scope: Scope) -> Result<Caller, Problem> {
    let caller = caller::of(request, app(request)).await?;
    if caller.scopes().allows(scope) {
        return Ok(caller);
    }
    Err(Problem::because(Kind::InsufficientScope, format!("This needs the scope '{scope}'.")))
}
