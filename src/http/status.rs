//! `GET /v1/status`: how far the work is.

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{answer, app::App, problem::Problem};
use crate::store::Status;

/// How far the work is.
#[derive(Serialize, ToSchema)]
pub struct StatusBody {
    /// Records in each state.
    records: Records,
    /// Batches in each state.
    batches: Batches,
    /// Keys in each state.
    keys: Keys,
    /// Nodes at work.
    nodes: usize,
    /// The version of the service.
    version: &'static str,
}

#[derive(Serialize, ToSchema)]
struct Records {
    signed: u64,
    leased: u64,
    open: u64,
    unbatched: u64,
}

#[derive(Serialize, ToSchema)]
struct Batches {
    open: u64,
    leased: u64,
    signed: u64,
}

#[derive(Serialize, ToSchema)]
struct Keys {
    active: u64,
    disabled: u64,
    suspended: u64,
    retired: u64,
}

impl From<&Status> for StatusBody {
    fn from(status: &Status) -> Self {
        let Status { signed, leased, open, unbatched, batches, keys, nodes } = status;
        Self {
            records: Records { signed: *signed, leased: *leased, open: *open, unbatched: *unbatched },
            batches: Batches { open: batches.open, leased: batches.leased, signed: batches.signed },
            keys: Keys {
                active: keys.active,
                disabled: keys.disabled,
                suspended: keys.suspended,
                retired: keys.retired,
            },
            nodes: nodes.len(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// How far the work is.
#[utoipa::path(get, path = "/v1/status", tag = "status", responses((status = 200, body = StatusBody)))]
pub async fn status(app: Data<App>) -> Result<HttpResponse, Problem> {
    let status = app.status().await?;
    Ok(answer::ok(&StatusBody::from(&*status)))
}
