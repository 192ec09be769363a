//! `GET /v1/ledger` and `GET /v1/ledger/checkpoint`: the ledger, as others check it.

use actix_web::{HttpRequest, HttpResponse, http::header::ContentType, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answer,
    app::App,
    etag::{self, Freshness},
    problem::{Kind, Problem},
};
use crate::{domain::ledger::VerifierKey, store::LedgerRow};

/// The ledger, its key and its last checkpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = Ledger)]
pub struct LedgerBody {
    /// Which ledger it is, and its incarnation.
    #[schema(example = "signwave/0123456789abcdef/1")]
    origin: String,
    /// How many entries it has: of signed batches, and of keys that were added or retired.
    entries: u64,
    /// The root of their tree (RFC 6962), in base64.
    root: String,
    /// Why nothing is formed, leased or signed: the database is older than what was shown of it. Usually `null`.
    halted: Option<String>,
    /// The key that checkpoints are signed with, as verifiers pin it (the vkey of C2SP signed-note). `null` before the
    /// first checkpoint.
    key: Option<String>,
    /// The last checkpoint. `null` if there is none yet.
    checkpoint: Option<CheckpointBody>,
}

/// A signed head of the ledger.
#[derive(Serialize, ToSchema)]
#[schema(as = Checkpoint)]
struct CheckpointBody {
    /// How many entries it is of.
    entries: u64,
    /// The signed note (C2SP tlog-checkpoint).
    note: String,
}

impl From<LedgerRow> for LedgerBody {
    fn from(row: LedgerRow) -> Self {
        let LedgerRow { origin, head, halted, public_key, checkpoint, .. } = row;
        Self {
            origin: origin.to_string(),
            entries: head.size,
            root: head.root.to_string(),
            halted,
            key: public_key.map(|public| VerifierKey { origin, public }.to_string()),
            checkpoint: checkpoint.map(|(entries, note)| CheckpointBody { entries, note }),
        }
    }
}

/// The ledger, its key and its last checkpoint, as they are now.
#[utoipa::path(
    get, path = "/v1/ledger", operation_id = "read_ledger", tag = "ledger",
    responses((status = 200, description = "The ledger", body = LedgerBody))
)]
pub async fn ledger(app: Data<App>) -> Result<HttpResponse, Problem> {
    Ok(answer::ok(&LedgerBody::from(app.read(|store| store.ledger()).await?)))
}

/// The last checkpoint: a signed note that says how many entries the ledger has, and the root of their tree.
///
/// It needs no token, so that anybody can keep checkpoints and compare them with later ones. It tells how many entries there
/// are, and nothing about what they are of.
#[utoipa::path(
    get, path = "/v1/ledger/checkpoint", operation_id = "read_checkpoint", tag = "ledger",
    responses(
        (status = 200, description = "The signed note (C2SP tlog-checkpoint)", body = String,
            content_type = "text/plain; charset=utf-8"),
        (status = 304, description = "The client has this answer already"),
        (status = 404, description = "There is no checkpoint yet"),
        (status = 503, description = "The service is overloaded or stopping, or the database does not answer"),
    )
)]
pub async fn checkpoint(request: HttpRequest, app: Data<App>) -> Result<HttpResponse, Problem> {
    let none = || Problem::because(Kind::NotFound, "The ledger has no checkpoint yet.");
    let (_, note) = app.read(|store| store.ledger()).await?.checkpoint.ok_or_else(none)?;
    let tag = etag::tag("c", &[note.as_bytes()]);
    etag::answer(&request, tag, Freshness::Checked, |mut response| {
        response.content_type(ContentType::plaintext()).body(note)
    })
}
