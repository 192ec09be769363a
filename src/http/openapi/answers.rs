//! The problems that many operations can answer with.

use utoipa::openapi::{
    Content, ContentBuilder, Ref, RefOr, Response, ResponseBuilder,
    path::{Operation, ParameterIn},
};

use crate::http::route::Needs;

const MEDIA_TYPE: &str = "application/problem+json";

/// Adds the problems that follow from what an operation takes and needs, and says of every error that it is a problem.
/// What the handler says of a status stays.
pub fn complete(operation: &mut Operation, needs: Needs) {
    for (status, description) in common(operation, needs) {
        let responses = &mut operation.responses.responses;
        responses.entry(status.to_owned()).or_insert_with(|| problem(description).into());
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.content.is_empty()
            && status.starts_with(['4', '5'])
        {
            response.content.insert(MEDIA_TYPE.to_owned(), content().into());
        }
    }
}

fn common(operation: &Operation, needs: Needs) -> Vec<(&'static str, &'static str)> {
    let mut common = vec![("default", "A problem")];
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    let takes = |place| {
        parameters
            .iter()
            .any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == place))
    };
    if takes(ParameterIn::Query) || takes(ParameterIn::Header) {
        common.push(("400", "A parameter is not valid"));
    }
    if takes(ParameterIn::Path) {
        common.push(("404", "There is no such thing"));
    }
    if operation.request_body.is_some() {
        common.push(("400", "The request is not valid"));
        common.push(("408", "The body came too slowly"));
        common.push(("413", "The body is too large"));
        common.push(("415", "The body is compressed, or has another media type"));
    }
    if needs != Needs::Nothing {
        common.push(("401", "There is no token, or it is unknown, expired or revoked"));
        common.push(("403", "The token does not have the scope, or a page of another site used the cookie"));
        common.push(("429", "This client sends too much: wait as long as Retry-After says"));
    }
    let is_about_keys = operation.tags.iter().flatten().any(|tag| tag == "keys");
    if is_about_keys || needs != Needs::Nothing {
        common.push(("503", "The service is overloaded or stopping, or the database does not answer"));
    }
    common
}

fn problem(description: &str) -> Response {
    ResponseBuilder::new().description(description).content(MEDIA_TYPE, content()).build()
}

fn content() -> Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build()
}
