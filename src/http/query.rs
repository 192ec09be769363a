//! Queries: the parameters behind the `?` of an address.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use serde::de::DeserializeOwned;

use super::problem::{Kind, Problem};

/// The parameters of a request. Unknown ones must be refused by `T`, so that a misspelt one is not ignored.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = web::Query::<T>::from_query(request.query_string());
        ready(parsed.map(|query| Self(query.into_inner())).map_err(|_| {
            Problem::because(
                Kind::InvalidRequest,
                "A parameter of the query is unknown, repeated or not valid.",
            )
        }))
    }
}
