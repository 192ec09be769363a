//! The gate: lets a request through to its handler if the client may make it.

use actix_web::{
    Error, HttpMessage as _,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
};

use super::{
    app::App,
    caller,
    problem::{Kind, Problem},
    routes::{Entry, Surface},
};
use crate::domain::Scope;

/// What a client needs to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: anybody is answered.
    Nothing,
    /// A token or a client certificate with this scope.
    Scope(Scope),
}

/// The pattern that a request's path matches.
#[derive(Clone, Copy)]
pub struct Matched(pub &'static str);

/// Answers a request for one pattern if the client has what the entry for its method needs. Nothing of the body is
/// read before.
///
/// # Errors
/// [`Kind::InvalidToken`], [`Kind::InsufficientScope`], or [`Kind::TooManyRequests`].
pub async fn gate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    entries: Vec<&'static Entry>,
    surface: Surface,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let needs = entries.iter().find(|entry| entry.method == *method).map(|entry| entry.needs_at(surface));
    request.extensions_mut().insert(Matched(entries[0].pattern));
    // A method that is not listed is refused by the pattern's default service.
    if let Some(Needs::Scope(scope)) = needs {
        let app = request.app_data::<actix_web::web::Data<App>>().expect("every application has its state");
        let caller = caller::of(request.request(), app.get_ref()).await?;
        if !caller.scopes().allows(scope) {
            let detail = format!("This needs the scope '{scope}'.");
            return Err(Problem::because(Kind::InsufficientScope, detail).into());
        }
        request.extensions_mut().insert(caller);
    }
    next.call(request).await.map(ServiceResponse::map_into_boxed_body)
}
