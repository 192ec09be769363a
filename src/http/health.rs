//! Health: whether the process lives, and whether it can do its work.

use std::time::Duration;

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{answer, app::App};

/// For how long the database may be away before the process is not ready. A shorter time would take every node out
/// of a load balancer whenever the database restarts.
const GRACE: Duration = Duration::from_secs(5);

/// That the process lives.
#[derive(Serialize, ToSchema)]
struct Live {
    /// Always true.
    live: bool,
}

/// What was checked.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// Whether all is well.
    ready: bool,
    /// Each check.
    checks: Vec<Check>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = HealthCheck)]
struct Check {
    /// What is checked.
    name: &'static str,
    /// Whether it is well.
    ok: bool,
    /// For how many seconds it has failed, as far as was looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_for: Option<u64>,
    /// What the check means.
    detail: &'static str,
}

/// Whether the process lives. This asks neither the database nor any other part.
#[utoipa::path(
    get, path = "/health/live", operation_id = "live", tag = "health",
    responses((status = 200, description = "The process lives", body = Live))
)]
pub async fn live() -> HttpResponse {
    answer::ok(&Live { live: true })
}

/// Whether the process can do its work.
#[utoipa::path(
    get, path = "/health/ready", operation_id = "ready", tag = "health",
    responses(
        (status = 200, description = "The process can do its work", body = Health),
        (status = 503, description = "A check fails", body = Health),
    )
)]
pub async fn ready(app: Data<App>) -> HttpResponse {
    let checks = checks(&app).await;
    let ready = checks.iter().all(|check| check.ok);
    let response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer::json(response, &Health { ready, checks })
}

async fn checks(app: &App) -> Vec<Check> {
    let status = app.status().await;
    let is_here = app.vitals().away_for().is_none_or(|away| away < GRACE);
    let signs = app.parts().mode.roles().signs();
    // A process that only submits and forms batches needs no key. If the database does not answer, only that is said.
    let reach = app.parts().opener.reach();
    let has_key = !signs || status.as_ref().map_or(true, |status| status.usable_within(&reach) > 0);
    let named = [
        ("database", is_here, "the database answers, or has been away for less than five seconds"),
        ("lease", app.vitals().holds_lease(), "this process is registered as a node, and its lease stands"),
        ("keys", has_key, "at least one key may sign here"),
        ("running", !app.stopping().has_begun(), "the service is not stopping"),
    ];
    named
        .into_iter()
        .map(|(name, ok, detail)| Check { name, ok, failing_for: app.failing().note(name, ok), detail })
        .collect()
}
