//! The OpenAPI document, made from the handlers and the table of routes.

mod answers;

use actix_web::{http::Method, web::Bytes};
use utoipa::{
    OpenApi, ToSchema,
    openapi::{
        path::{Operation, PathItem},
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};

use super::{
    admin, bulk, events, feed, health, history, keys, ledger, metrics, problems, reading, route::Needs,
    routes::ROUTES, session, status, submit, webhooks,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sign Wave",
        description = "Signs records exactly once, in batches, with a pool of RSA keys. Errors are problems as RFC 9457 \
            has them. Ids are texts, because JavaScript rounds large numbers. Times are RFC 3339 in UTC.",
    ),
    paths(
        health::live,
        health::ready,
        metrics::metrics,
        problems::list,
        problems::one,
        status::status,
        history::shown::history,
        session::sign_in::sign_in,
        session::current::read,
        session::current::sign_out,
        submit::submit,
        bulk::bulk,
        reading::records::by_id,
        reading::records::by_name,
        reading::signature::signature,
        reading::bundle::bundle,
        reading::history::history,
        feed::signatures,
        reading::verify::verify,
        reading::batches::list,
        reading::batches::one,
        reading::nodes::list,
        keys::list::list,
        keys::list::one,
        keys::generate::generate,
        keys::change::change,
        keys::public::pem,
        keys::public::jwk,
        keys::public::jwks,
        keys::public::well_known,
        ledger::ledger,
        ledger::checkpoint,
        events::stream::events,
        admin::tokens::list,
        admin::tokens::one,
        admin::change::create,
        admin::change::rotate,
        admin::change::revoke,
        admin::audit::list,
        webhooks::list::list,
        webhooks::list::one,
        webhooks::change::add,
        webhooks::change::rotate,
        webhooks::change::enable,
        webhooks::change::test,
        webhooks::change::remove,
    ),
    components(schemas(Problem))
)]
struct Handlers;

/// An error, as RFC 9457 has it.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "it describes what Problem::body writes")]
struct Problem {
    /// The page that explains the problem.
    r#type: String,
    /// The problem in a few words.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What is wrong with this request.
    #[schema(nullable = false)]
    detail: Option<String>,
    /// The id of the request, under which the service's log has more.
    request_id: String,
}

/// The names of the security schemes. Every operation that takes a token takes a session, too: the document leaves that out,
/// because programs send tokens.
const TOKEN: &str = "token";
const SESSION: &str = "session";

/// The document as it is sent.
pub fn text() -> Bytes {
    serde_json::to_vec(&document()).expect("texts, numbers and maps can be written as JSON").into()
}

/// The document.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Handlers::openapi();
    let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(TOKEN, scheme);
    let cookie = ApiKeyValue::with_description("signwave", "Over TLS it is called `__Host-signwave`.");
    components.add_security_scheme(SESSION, SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    for entry in ROUTES {
        let item = document.paths.paths.get_mut(entry.pattern);
        if let Some(operation) = item.and_then(|item| operation(item, &entry.method)) {
            operation.security = match entry.needs {
                Needs::Scope(scope) => Some(vec![SecurityRequirement::new(TOKEN, [scope.name()])]),
                Needs::Session => Some(vec![SecurityRequirement::new(SESSION, [""; 0])]),
                Needs::Nothing => None,
            };
            answers::complete(operation, entry.needs);
        }
    }
    document
}

/// The operation of a method.
pub fn operation<'a>(item: &'a mut PathItem, method: &Method) -> Option<&'a mut Operation> {
    match *method {
        Method::GET => item.get.as_mut(),
        Method::POST => item.post.as_mut(),
        Method::PATCH => item.patch.as_mut(),
        Method::DELETE => item.delete.as_mut(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths that a browser opens: the document describes what programs call.
    const FOR_PEOPLE: [&str; 5] = ["/", "/assets/{path:.*}", "/docs", "/docs/{file}", "/openapi.json"];

    #[test]
    fn the_document_describes_every_route_and_nothing_else() {
        let mut document = document();
        let mut described: usize = 0;
        for entry in ROUTES.iter().filter(|entry| !FOR_PEOPLE.contains(&entry.pattern)) {
            let item =
                document.paths.paths.get_mut(entry.pattern).unwrap_or_else(|| panic!("{}", entry.pattern));
            assert!(operation(item, &entry.method).is_some(), "{} {}", entry.method, entry.pattern);
            described += 1;
        }
        let methods = [Method::GET, Method::POST, Method::PATCH, Method::DELETE];
        let all = document.paths.paths.values_mut();
        let count =
            |item: &mut PathItem| methods.iter().filter(|method| operation(item, method).is_some()).count();
        assert_eq!(all.map(count).sum::<usize>(), described);
    }
}
