//! The table of everything that the service answers: from it the server is built, and tests walk it.

use std::{cmp::Reverse, collections::BTreeMap, rc::Rc};

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
    admin, bulk, dashboard,
    docs::{self, Document},
    edge::{Outside, edge},
    events, feed,
    gate::gate,
    health, history, keys, ledger, metrics,
    problem::{Kind, Problem},
    problems, reading,
    route::{
        Entry, Needs,
        Surface::{self, Admin, Api},
    },
    session, status, submit, webhooks,
};
use crate::domain::Scope;

/// Everything that the service answers.
pub const ROUTES: &[Entry] = &[
    get(dashboard::PATTERNS[0], Needs::Nothing, Api, |route| route.to(dashboard::page)),
    get("/.well-known/jwks.json", Needs::Nothing, Api, |route| route.to(keys::public::well_known)),
    get(dashboard::PATTERNS[1], Needs::Nothing, Api, |route| route.to(dashboard::asset)),
    get("/docs", Needs::Nothing, Api, |route| route.to(docs::index)),
    get("/docs/{file}", Needs::Nothing, Api, |route| route.to(docs::file)),
    get("/health/live", Needs::Nothing, Admin, |route| route.to(health::live)),
    get("/health/ready", Needs::Nothing, Admin, |route| route.to(health::ready)),
    get("/metrics", Needs::Scope(Scope::Read), Admin, |route| route.to(metrics::metrics)),
    get("/openapi.json", Needs::Nothing, Api, |route| route.to(docs::openapi)),
    get("/problems", Needs::Nothing, Api, |route| route.to(problems::list)),
    get("/problems/{slug}", Needs::Nothing, Api, |route| route.to(problems::one)),
    get("/v1/audit", Needs::Scope(Scope::Admin), Api, |route| route.to(admin::audit::list)),
    get("/v1/batches", Needs::Scope(Scope::Read), Api, |route| route.to(reading::batches::list)),
    get("/v1/batches/{id}", Needs::Scope(Scope::Read), Api, |route| route.to(reading::batches::one)),
    get("/v1/events", Needs::Scope(Scope::Read), Api, |route| route.to(events::stream::events)),
    get("/v1/history", Needs::Scope(Scope::Read), Api, |route| route.to(history::shown::history)),
    get("/v1/jwks.json", Needs::Nothing, Api, |route| route.to(keys::public::jwks)),
    get("/v1/keys", Needs::Scope(Scope::Read), Api, |route| route.to(keys::list::list)),
    post("/v1/keys", Needs::Scope(Scope::Operate), Api, |route| route.to(keys::generate::generate)),
    get("/v1/keys/{fingerprint}", Needs::Scope(Scope::Read), Api, |route| route.to(keys::list::one)),
    patch("/v1/keys/{fingerprint}", Needs::Scope(Scope::Operate), Api, |route| {
        route.to(keys::change::change)
    }),
    get("/v1/keys/{fingerprint}.jwk", Needs::Nothing, Api, |route| route.to(keys::public::jwk)),
    get("/v1/keys/{fingerprint}.pem", Needs::Nothing, Api, |route| route.to(keys::public::pem)),
    get("/v1/ledger", Needs::Scope(Scope::Read), Api, |route| route.to(ledger::ledger)),
    get("/v1/ledger/checkpoint", Needs::Nothing, Api, |route| route.to(ledger::checkpoint)),
    get("/v1/nodes", Needs::Scope(Scope::Read), Api, |route| route.to(reading::nodes::list)),
    get("/v1/records", Needs::Scope(Scope::Read), Api, |route| route.to(reading::records::by_name)),
    post("/v1/records", Needs::Scope(Scope::Submit), Api, |route| route.to(submit::submit)),
    post("/v1/records/bulk", Needs::Scope(Scope::Submit), Api, |route| route.to(bulk::bulk)),
    get("/v1/records/{id}", Needs::Scope(Scope::Read), Api, |route| route.to(reading::records::by_id)),
    get("/v1/records/{id}/bundle", Needs::Scope(Scope::Read), Api, |route| route.to(reading::bundle::bundle)),
    get("/v1/records/{id}/history", Needs::Scope(Scope::Read), Api, |route| {
        route.to(reading::history::history)
    }),
    get("/v1/records/{id}/signature", Needs::Scope(Scope::Read), Api, |route| {
        route.to(reading::signature::signature)
    }),
    get("/v1/session", Needs::Session, Api, |route| route.to(session::current::read)),
    post("/v1/session", Needs::Nothing, Api, |route| route.to(session::sign_in::sign_in)),
    delete("/v1/session", Needs::Session, Api, |route| route.to(session::current::sign_out)),
    get("/v1/signatures", Needs::Scope(Scope::Read), Api, |route| route.to(feed::signatures)),
    get("/v1/status", Needs::Scope(Scope::Read), Api, |route| route.to(status::status)),
    get("/v1/tokens", Needs::Scope(Scope::Admin), Api, |route| route.to(admin::tokens::list)),
    post("/v1/tokens", Needs::Scope(Scope::Admin), Api, |route| route.to(admin::change::create)),
    get("/v1/tokens/{id}", Needs::Scope(Scope::Admin), Api, |route| route.to(admin::tokens::one)),
    delete("/v1/tokens/{id}", Needs::Scope(Scope::Admin), Api, |route| route.to(admin::change::revoke)),
    post("/v1/tokens/{id}/rotate", Needs::Scope(Scope::Admin), Api, |route| route.to(admin::change::rotate)),
    post("/v1/verify", Needs::Scope(Scope::Read), Api, |route| route.to(reading::verify::verify)),
    get("/v1/webhooks", Needs::Scope(Scope::Admin), Api, |route| route.to(webhooks::list::list)),
    post("/v1/webhooks", Needs::Scope(Scope::Admin), Api, |route| route.to(webhooks::change::add)),
    get("/v1/webhooks/{name}", Needs::Scope(Scope::Admin), Api, |route| route.to(webhooks::list::one)),
    delete("/v1/webhooks/{name}", Needs::Scope(Scope::Admin), Api, |route| {
        route.to(webhooks::change::remove)
    }),
    post("/v1/webhooks/{name}/enable", Needs::Scope(Scope::Admin), Api, |route| {
        route.to(webhooks::change::enable)
    }),
    post("/v1/webhooks/{name}/rotate", Needs::Scope(Scope::Admin), Api, |route| {
        route.to(webhooks::change::rotate)
    }),
    post("/v1/webhooks/{name}/test", Needs::Scope(Scope::Admin), Api, |route| {
        route.to(webhooks::change::test)
    }),
];

const fn get(pattern: &'static str, needs: Needs, at: Surface, handler: fn(Route) -> Route) -> Entry {
    Entry { method: Method::GET, pattern, needs, at, handler }
}

const fn post(pattern: &'static str, needs: Needs, at: Surface, handler: fn(Route) -> Route) -> Entry {
    Entry { method: Method::POST, pattern, needs, at, handler }
}

const fn patch(pattern: &'static str, needs: Needs, at: Surface, handler: fn(Route) -> Route) -> Entry {
    Entry { method: Method::PATCH, pattern, needs, at, handler }
}

const fn delete(pattern: &'static str, needs: Needs, at: Surface, handler: fn(Route) -> Route) -> Entry {
    Entry { method: Method::DELETE, pattern, needs, at, handler }
}

/// The application that answers on one group of listeners.
pub fn answers(
    outside: Outside,
    document: web::Data<Document>,
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
    let is_on = |entry: &&Entry| outside.has_dashboard || !dashboard::PATTERNS.contains(&entry.pattern);
    for entry in ROUTES.iter().filter(|entry| surface == Api || entry.at == surface).filter(is_on) {
        patterns.entry(entry.pattern).or_default().push(entry);
    }
    // The first pattern that fits answers, and a variable part fits almost everything: the pattern with more fixed
    // characters comes first.
    let mut patterns: Vec<_> = patterns.into_iter().collect();
    patterns.sort_by_key(|(pattern, _)| Reverse(fixed(pattern)));
    let configure = move |config: &mut web::ServiceConfig| {
        for (pattern, entries) in patterns {
            let allow = entries.iter().map(|entry| entry.method.as_str()).collect::<Vec<_>>().join(", ");
            let mut resource = web::resource(pattern);
            for entry in &entries {
                resource = resource.route(entry.route());
            }
            let entries: Rc<[_]> = entries.into();
            let gated = resource.default_service(web::to(move || not_allowed(allow.clone())));
            config.service(
                gated.wrap(from_fn(move |request, next| gate(request, next, Rc::clone(&entries), surface))),
            );
        }
    };
    let app = actix_web::App::new()
        .app_data(web::Data::new(outside.app.clone()))
        .app_data(document)
        .configure(configure)
        .default_service(web::to(async || Err::<&str, _>(Problem::new(Kind::NotFound))))
        .wrap(from_fn(move |request: ServiceRequest, next| edge(request, next, outside.clone())));
    app.into_factory()
}

/// How many characters of a pattern stand for themselves.
fn fixed(pattern: &str) -> usize {
    let mut is_variable = false;
    let is_fixed = |c: &char| {
        is_variable = *c == '{' || is_variable && *c != '}';
        !is_variable && *c != '}'
    };
    pattern.chars().filter(is_fixed).count()
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
    fn the_variable_parts_of_a_pattern_are_not_fixed() {
        assert!(fixed("/v1/records/bulk") > fixed("/v1/records/{identifier}"));
        assert!(fixed("/v1/keys/{fingerprint}.pem") > fixed("/v1/keys/{fingerprint}"));
        assert_eq!(fixed("/a/{b}.c"), 5);
    }

    #[test]
    fn each_method_and_path_is_listed_once() {
        let all: BTreeSet<_> = ROUTES.iter().map(|entry| (entry.pattern, entry.method.as_str())).collect();
        assert_eq!(all.len(), ROUTES.len());
    }
}
