//! `GET /v1/batches` and `GET /v1/batches/{id}`.

use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{BatchId, BatchState},
    http::{
        answer,
        app::App,
        names::BatchStateName,
        problem::{Kind, Problem},
        query::{self, Id, Query, limit, parsed},
        shapes::BatchBody,
    },
    store::BatchPage,
};

/// Which batches to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Only batches in this state: open, leased or signed.
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline, value_type = Option<BatchStateName>)]
    state: Option<BatchState>,
    /// The `next` of the page before, to go on after it.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, pattern = "^[1-9][0-9]{0,18}$")]
    after: Option<Id>,
    /// How many: 1 to 1000, usually 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// A page of batches.
#[derive(Serialize, ToSchema)]
#[schema(as = BatchPage)]
pub struct BatchesBody {
    /// The batches, the newest first.
    batches: Vec<BatchBody>,
    /// Where the next page begins; `null` on the last page.
    next: Option<String>,
}

/// Batches, the newest first.
#[utoipa::path(
    get, path = "/v1/batches", operation_id = "list_batches", tag = "batches", params(Filter),
    responses((status = 200, description = "A page of batches", body = BatchesBody))
)]
pub async fn list(app: Data<App>, Query(filter): Query<Filter>) -> Result<HttpResponse, Problem> {
    let limit = limit(filter.limit)?;
    let before = filter.after.map(|Id(id)| BatchId(id));
    let page = BatchPage { state: filter.state, before, limit: limit + 1 };
    let found = app.read(move |store| store.latest_batches(page)).await?;
    let (batches, next) = query::page(found, limit, |batch| batch.id.to_string());
    Ok(answer::ok(&BatchesBody { batches: batches.iter().map(BatchBody::from).collect(), next }))
}

/// One batch, with its records.
#[utoipa::path(
    get,
    path = "/v1/batches/{id}",
    operation_id = "read_batch",
    tag = "batches",
    params(("id" = String, Path, description = "The batch", pattern = "^[1-9][0-9]{0,18}$")),
    responses((status = 200, description = "The batch", body = BatchBody), (status = 404, description = "There is no such batch"))
)]
pub async fn one(app: Data<App>, id: Path<String>) -> Result<HttpResponse, Problem> {
    let Id(id) = id.parse().map_err(|_| Problem::new(Kind::NotFound))?;
    let found = app.read(move |store| store.batch(BatchId(id))).await?;
    let (batch, records) = found.ok_or(Problem::new(Kind::NotFound))?;
    Ok(answer::ok(&BatchBody { records: Some(records.to_string()), ..BatchBody::from(&batch) }))
}
