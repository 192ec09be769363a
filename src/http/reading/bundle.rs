//! `GET /v1/records/{id}/bundle`: a record with what shows others that it is in the ledger.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::CONTENT_TYPE,
    web::{Data, Path},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::records::record_id;
use crate::{
    audit::{BundledBatch, Entries, KnownKeys, NoBundle},
    domain::{
        RecordId, Runs,
        ledger::{Checkpoint, Inclusion, Note},
    },
    formats::bundle::{MEDIA_TYPE, write},
    http::{
        accept,
        app::App,
        names::Bundle,
        problem::{Kind, Problem},
        query::Query,
    },
    store::{BatchRow, RecordName, Store, StoreError, Wanted},
};

/// Reads of a thousand entries in one request. A ledger that is longer takes several requests until it is in memory.
const READS: usize = 200;

/// What to add to a bundle.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Options {
    /// Whether to add the payload.
    #[serde(default)]
    with_payload: bool,
}

/// A signed record with its key, its receipt and the last checkpoint, which can be verified without this service.
///
/// It is one line of JSON, as `signwave export --as bundle` writes it: `signwave verify --bundle` and the verifiers in
/// packaging/bundle take it. The key of the ledger, which they need, must come from a place that the verifier trusts.
#[utoipa::path(
    get,
    path = "/v1/records/{id}/bundle",
    operation_id = "read_bundle",
    tag = "records",
    params(("id" = String, Path, description = "The id that the database assigned", pattern = "^[1-9][0-9]{0,18}$"), Options),
    responses(
        (status = 200, description = "The bundle, with the last checkpoint", body = Bundle,
            content_type = "application/vnd.signwave.bundle.v1+json"),
        (status = 404, description = "There is no such record"),
        (status = 406, description = "The form is not accepted"),
        (status = 409, description = "The record has no bundle yet: the detail says what is missing"),
    )
)]
pub async fn bundle(
    request: HttpRequest,
    app: Data<App>,
    id: Path<String>,
    Query(Options { with_payload }): Query<Options>,
) -> Result<HttpResponse, Problem> {
    let (id, form) = (record_id(&id)?, accept::best(&request, &[MEDIA_TYPE])?);
    let _place = app.limits().bundles.take().await?;
    let (row, note) = match app.read(move |store| found(store, id)).await? {
        Found::Nothing => return Err(Problem::new(Kind::NotFound)),
        Found::Unsigned => return Err(not_yet("The record is not signed yet.")),
        Found::WithoutCheckpoint => {
            let detail = "The ledger has no checkpoint yet, without which a bundle proves nothing. A process that signs \
                          makes one.";
            return Err(not_yet(detail));
        }
        Found::Signed(row, note) => (row, note),
    };
    let damaged = || NoBundle::Damaged("the last checkpoint is damaged".to_owned());
    let note: Note = note.parse().map_err(|_| damaged())?;
    let checkpoint = note.checkpoint().map_err(|_| damaged())?;
    let (batch, in_ledger) = signed(&app, *row, &checkpoint).await?;
    let make = move |store: &dyn Store| {
        let mut made = Err(NoBundle::Damaged(format!("record {id} is missing")));
        store.read_signed(&Runs::from_iter([id]), &mut |row| {
            made = batch.bundle(&row, &in_ledger, &note, with_payload);
        })?;
        Ok(made)
    };
    let text = write(&app.read(make).await??).map_err(|_| Problem::new(Kind::Internal))?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, form)).body(text + "\n"))
}

/// The batch, and its place in the ledger of the last checkpoint. It reads the entries and the batch, as far as they are not
/// kept from the bundles before.
async fn signed(
    app: &App,
    row: BatchRow,
    checkpoint: &Checkpoint,
) -> Result<(Arc<BundledBatch>, Inclusion), Problem> {
    let (mut kept, size, mut reads) = (app.bundles().lock().await, checkpoint.size, 0);
    while let Some(after) = kept.lacks(checkpoint) {
        if reads == READS {
            let detail = "The ledger is being read, which takes several requests.";
            return Err(Problem::because(Kind::Overloaded, detail).retry_after(1));
        }
        let entries = app.read(move |store| Ok(Entries::read(store, after, size))).await??;
        kept.add(entries);
        reads += 1;
    }
    let in_ledger = kept.inclusion(checkpoint, row.id)?;
    let in_ledger = in_ledger.ok_or_else(|| not_yet("The record was signed after the last checkpoint."))?;
    if let Some(known) = kept.batch(row.id) {
        return Ok((known, in_ledger));
    }
    let index = in_ledger.index;
    let read = move |store: &dyn Store| Ok(BundledBatch::read(store, row, index, &mut KnownKeys::default()));
    let batch = Arc::new(app.read(read).await??);
    kept.keep(&batch);
    Ok((batch, in_ledger))
}

/// The next checkpoint comes within about a second.
fn not_yet(detail: &'static str) -> Problem {
    Problem::because(Kind::NoBundleYet, detail).retry_after(1)
}

/// What there is of a record.
enum Found {
    Nothing,
    Unsigned,
    WithoutCheckpoint,
    /// Its batch, and the last checkpoint.
    Signed(Box<BatchRow>, String),
}

fn found(store: &dyn Store, id: RecordId) -> Result<Found, StoreError> {
    let Some(row) = store.batch_of(id)? else {
        let record = store.record(RecordName::Id(id), Wanted::default())?;
        return Ok(if record.is_some() { Found::Unsigned } else { Found::Nothing });
    };
    let checkpoint = store.ledger()?.checkpoint;
    Ok(checkpoint.map_or(Found::WithoutCheckpoint, |(_, note)| Found::Signed(Box::new(row), note)))
}
