//! `GET /v1/audit`: the log of changes.

use actix_web::{HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::AuditId,
    http::{
        answer,
        app::App,
        problem::Problem,
        query::{self, Id, Query, limit, parsed},
    },
    store::AuditRow,
};

/// Which changes to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// The id of the last change that is known already.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, pattern = "^[1-9][0-9]{0,18}$")]
    after: Option<Id>,
    /// How many: 1 to 1000, usually 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// A page of the log.
#[derive(Serialize, ToSchema)]
#[schema(as = ChangePage)]
pub struct AuditBody {
    /// The changes, in the order in which they were made.
    changes: Vec<ChangeBody>,
    /// What to set `after` to for the next page; `null` if there is none yet.
    next: Option<String>,
}

/// One change, and who made it.
#[derive(Serialize, ToSchema)]
#[schema(as = Change)]
struct ChangeBody {
    /// Its number.
    id: String,
    /// When.
    at: String,
    /// Who: `token:ID`, `cli:USER` or `node:NAME`.
    who: String,
    /// The address of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    address: Option<String>,
    /// What was done.
    action: String,
    /// What it was done to: the fingerprint of a key, the id of a token, the name of a webhook or of an outlet, or the id of a refused message.
    object: String,
    /// What was there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    before: Option<String>,
    /// What is there since.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    after: Option<String>,
    /// The id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    request_id: Option<String>,
}

impl From<AuditRow> for ChangeBody {
    fn from(row: AuditRow) -> Self {
        let AuditRow { id, at, who, address, action, object, before, after, request_id } = row;
        Self {
            id: id.to_string(),
            at,
            who: who.to_string(),
            address,
            action,
            object,
            before,
            after,
            request_id,
        }
    }
}

/// Every change of keys, tokens and webhooks, and who made it.
#[utoipa::path(
    get, path = "/v1/audit", operation_id = "list_changes", tag = "tokens", params(Page),
    responses((status = 200, description = "A page of the log", body = AuditBody))
)]
pub async fn list(app: Data<App>, Query(page): Query<Page>) -> Result<HttpResponse, Problem> {
    let (limit, after) = (limit(page.limit)?, AuditId(page.after.map_or(0, |id| id.0)));
    let found = app.read(move |store| store.audit_log(after, limit + 1)).await?;
    let (changes, next) = query::page(found, limit, |row| row.id.to_string());
    Ok(answer::ok(&AuditBody { changes: changes.into_iter().map(ChangeBody::from).collect(), next }))
}
