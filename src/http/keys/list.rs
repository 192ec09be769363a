//! `GET /v1/keys` and `GET /v1/keys/{fingerprint}`.

use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::shape::{KeyBody, fingerprint};
use crate::{
    domain::KeyState,
    http::{
        answer,
        app::App,
        names::KeyStateName,
        problem::{Kind, Problem},
        query::{self, KeyCursor, Query, limit, parsed},
    },
    store::{KeyOrder, KeyPage},
};

/// Which keys to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Only keys in this state: active, disabled, retired or suspended.
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline, value_type = Option<KeyStateName>)]
    state: Option<KeyState>,
    /// `use`, which is usual: the key that will be used next comes first. `added`: in the order in which they were
    /// added.
    #[serde(default)]
    #[param(inline)]
    order: Order,
    /// The `next` of the page before, to go on after it.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, pattern = "^(0|[1-9][0-9]{0,17})-[1-9][0-9]{0,17}$")]
    after: Option<KeyCursor>,
    /// How many: 1 to 1000, usually 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Order {
    #[default]
    Use,
    Added,
}

/// A page of keys.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyPage)]
pub struct KeysBody {
    /// The keys.
    keys: Vec<KeyBody>,
    /// Where the next page begins; `null` on the last page.
    next: Option<String>,
}

/// Keys, in the order of use or as they were added.
///
/// While keys are used, a key may move from one page of the order of use to another.
#[utoipa::path(
    get, path = "/v1/keys", operation_id = "list_keys", tag = "keys", params(Filter),
    responses((status = 200, description = "A page of keys", body = KeysBody))
)]
pub async fn list(app: Data<App>, Query(filter): Query<Filter>) -> Result<HttpResponse, Problem> {
    let limit = limit(filter.limit)?;
    let order = match filter.order {
        Order::Use => KeyOrder::Use(filter.after.map(|after| (after.place, after.key))),
        Order::Added => KeyOrder::Added(filter.after.map(|after| after.key)),
    };
    let page = KeyPage { order, state: filter.state, limit: limit + 1 };
    let found = app.read(move |store| store.key_page(page)).await?;
    let (keys, next) = query::page(found, limit, |key| KeyCursor::of(key).to_string());
    Ok(answer::ok(&KeysBody { keys: keys.iter().map(KeyBody::from).collect(), next }))
}

/// One key.
#[utoipa::path(
    get,
    path = "/v1/keys/{fingerprint}",
    operation_id = "read_key",
    tag = "keys",
    params(("fingerprint" = String, Path, description = "64 hexadecimal digits", pattern = "^[0-9a-fA-F]{64}$")),
    responses((status = 200, description = "The key", body = KeyBody), (status = 404, description = "There is no such key"))
)]
pub async fn one(app: Data<App>, name: Path<String>) -> Result<HttpResponse, Problem> {
    let name = fingerprint(&name)?;
    let found = app.read(move |store| {
        let Some(key) = store.key_named(&name)? else { return Ok(None) };
        let stored = store.certificates(Some(key.id))?;
        Ok(Some(KeyBody::with_certificates(&key, stored.first().map(|(_, stored)| stored.as_slice()))))
    });
    Ok(answer::ok(&found.await?.ok_or(Problem::new(Kind::NotFound))?))
}
