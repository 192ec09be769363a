//! `GET /v1/records/{id}/history`: what has happened to a record.

use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::records::record_id;
use crate::{
    http::{
        answer,
        app::App,
        problem::{Kind, Problem},
        shapes::HolderBody,
    },
    store::{RecordName, RecordRow, Wanted},
};

/// What has happened to a record, as far as the database knows.
#[derive(Serialize, ToSchema)]
#[schema(as = History)]
pub struct HistoryBody {
    /// The events, the oldest first. Of several leases only the last one is known.
    events: Vec<EventBody>,
}

/// Something that has happened to a record.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = HistoryEvent)]
struct EventBody {
    /// When (RFC 3339).
    at: String,
    /// What.
    what: What,
    /// The record's batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<String>,
    /// The lease number of the batch. It has risen by one with each lease and each time that a lease ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<String>,
    /// The key.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    /// The node, while it holds the batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<HolderBody>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = HistoryStep)]
enum What {
    /// The record was added.
    Added,
    /// A batch was formed with it.
    Batched,
    /// A node took the batch to sign it.
    Leased,
    /// The signatures of the batch were stored.
    Signed,
}

/// What has happened to a record, as far as the database knows.
#[utoipa::path(
    get,
    path = "/v1/records/{id}/history",
    operation_id = "read_history",
    tag = "records",
    params(("id" = String, Path, description = "The id that the database assigned", pattern = "^[1-9][0-9]{0,18}$")),
    responses((status = 200, description = "The history", body = HistoryBody), (status = 404, description = "There is no such record"))
)]
pub async fn history(app: Data<App>, id: Path<String>) -> Result<HttpResponse, Problem> {
    let id = record_id(&id)?;
    let wanted = Wanted { payload: false, unsigned_batch: true };
    let row = app.read(move |store| store.record(RecordName::Id(id), wanted)).await?;
    let row = row.ok_or(Problem::new(Kind::NotFound))?;
    Ok(answer::ok(&HistoryBody { events: events(row) }))
}

fn events(row: RecordRow) -> Vec<EventBody> {
    let added = EventBody {
        at: row.created_at,
        what: What::Added,
        batch: None,
        epoch: None,
        fingerprint: None,
        node: None,
    };
    let Some(batch) = row.batch else { return vec![added] };
    let of_batch = |at, what| EventBody {
        at,
        what,
        batch: Some(batch.id.to_string()),
        epoch: None,
        fingerprint: None,
        node: None,
    };
    let under_lease = |at, what| EventBody {
        epoch: Some(batch.epoch.to_string()),
        fingerprint: batch.key.map(|key| key.to_string()),
        ..of_batch(at, what)
    };
    let batched = of_batch(batch.opened_at.clone(), What::Batched);
    let leased = batch.leased_at.clone().map(|at| EventBody {
        node: batch.node.clone().map(|(id, name)| HolderBody { id: id.to_string(), name }),
        ..under_lease(at, What::Leased)
    });
    let signed = batch.signed_at.clone().map(|at| under_lease(at, What::Signed));
    [Some(added), Some(batched), leased, signed].into_iter().flatten().collect()
}
