//! The table of everything that the service answers: from it the server is built, and tests walk it.

use std::collections::BTreeMap;

use actix_service::{IntoServiceFactory, ServiceFactory};
use actix_web::{
    Route,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, header::ALLOW},
    middleware::from_fn,
    web,
};

use super::{
    bulk, docs,
    edge::{Outside, edge},
    gate::gate,
    health, metrics,
    problem::{Kind, Problem},
    problems,
    route::{
        Entry, Needs,
        Surface::{self, Admin, Api},
    },
    status, submit,
};
use crate::domain::Scope;

/// Everything that the service answers.
pub const ROUTES: &[Entry] = &[
    get("/docs", Needs::Nothing, Api, |route| route.to(docs::index)),
    get("/docs/{file}", Needs::Nothing, Api, |route| route.to(docs::file)),
    get("/health/live", Needs::Nothing, Admin, |route| route.to(health::live)),
    get("/health/ready", Needs::Nothing, Admin, |route| route.to(health::ready)),
    get("/metrics", Needs::Scope(Scope::Read), Admin, |route| route.to(metrics::metrics)),
    get("/openapi.json", Needs::Nothing, Api, |route| route.to(docs::openapi)),
    get("/problems", Needs::Nothing, Api, |route| route.to(problems::list)),
    get("/problems/{slug}", Needs::Nothing, Api, |route| route.to(problems::one)),
    post("/v1/records", Needs::Scope(Scope::Submit), Api, |route| route.to(submit::submit)),
    post("/v1/records/bulk", Needs::Scope(Scope::Submit), Api, |route| route.to(bulk::bulk)),
    get("/v1/status", Needs::Scope(Scope::Read), Api, |route| route.to(status::status)),
];

const fn get(pattern: &'static str, needs: Needs, at: Surface, handler: fn(Route) -> Route) -> Entry {
    Entry { method: Method::GET, pattern, needs, at, handler }
}

const fn post(pattern: &'static str, needs: Needs, at: Surface, handler: fn(Route) -> Route) -> Entry {
    Entry { method: Method::POST, pattern, needs, at, handler }
}

/// The application that answers on one group of listeners.
pub fn answers(
    outside: Outside,
    surface: Surface,
) -> impl ServiceFactory<
    actix_http::Request,
    Config = actix_web::dev::AppConfig,
    Response = ServiceResponse<BoxBody>,
    Error = actix_web::Error,
    InitError = (),
    Service: 'static,
    Future: 'static,
> {
    let mut patterns = BTreeMap::<&str, Vec<&'static Entry>>::new();
    for entry in ROUTES.iter().filter(|entry| surface == Api || entry.at == surface) {
        patterns.entry(entry.pattern).or_default().push(entry);
    }
    let configure = move |config: &mut web::ServiceConfig| {
        for (pattern, entries) in patterns {
            let allow = entries.iter().map(|entry| entry.method.as_str()).collect::<Vec<_>>().join(", ");
            let mut resource = web::resource(pattern);
            for entry in &entries {
                resource = resource.route(entry.route());
            }
            let gated = resource.default_service(web::to(move || not_allowed(allow.clone())));
            config.service(
                gated.wrap(from_fn(move |request, next| gate(request, next, entries.clone(), surface))),
            );
        }
    };
    let app = actix_web::App::new()
        .app_data(web::Data::new(outside.app.clone()))
        .app_data(outside.document.clone())
        .configure(configure)
        .default_service(web::to(async || Err::<&str, _>(Problem::new(Kind::NotFound))))
        .wrap(from_fn(move |request: ServiceRequest, next| edge(request, next, outside.clone())));
    app.into_factory()
}

async fn not_allowed(allow: String) -> actix_web::HttpResponse {
    use actix_web::ResponseError as _;
    let mut response = Problem::new(Kind::MethodNotAllowed).error_response();
    let value = allow.parse().expect("methods are plain text");
    response.headers_mut().insert(ALLOW, value);
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_method_and_path_is_listed_once() {
        let all: BTreeSet<_> = ROUTES.iter().map(|entry| (entry.pattern, entry.method.as_str())).collect();
        assert_eq!(all.len(), ROUTES.len());
    }
}
