//! `GET /v1/webhooks` and `GET /v1/webhooks/{name}`.

use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::WebhookBody;
use crate::{
    domain::WebhookName,
    http::{
        answer,
        app::App,
        problem::{Kind, Problem},
    },
    store::WebhookRow,
};

/// All webhooks.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhooks)]
pub struct WebhooksBody {
    /// The webhooks, in the order of their names: 100 at most.
    webhooks: Vec<WebhookBody>,
}

/// All webhooks, without their secrets.
#[utoipa::path(
    get, path = "/v1/webhooks", operation_id = "list_webhooks", tag = "webhooks",
    responses((status = 200, description = "The webhooks", body = WebhooksBody))
)]
pub async fn list(app: Data<App>) -> Result<HttpResponse, Problem> {
    let rows = app.read(|store| store.webhooks()).await?;
    Ok(answer::ok(&WebhooksBody { webhooks: rows.iter().map(WebhookBody::from).collect() }))
}

/// One webhook, without its secret.
#[utoipa::path(
    get, path = "/v1/webhooks/{name}", operation_id = "read_webhook", tag = "webhooks",
    params(("name" = String, Path, description = "The name of the webhook", pattern = "^[a-z][a-z0-9-]{0,63}$")),
    responses((status = 200, description = "The webhook", body = WebhookBody))
)]
pub async fn one(app: Data<App>, name: Path<String>) -> Result<HttpResponse, Problem> {
    Ok(answer::ok(&WebhookBody::from(&row(&app, &named(&name)?).await?)))
}

/// The webhook that a path names. A text that cannot be a name names none.
pub(super) fn named(name: &str) -> Result<WebhookName, Problem> {
    name.parse().map_err(|_| Problem::new(Kind::NotFound))
}

/// The row of a webhook.
pub(super) async fn row(app: &App, name: &WebhookName) -> Result<WebhookRow, Problem> {
    let rows = app.read(|store| store.webhooks()).await?;
    rows.into_iter().find(|row| row.name == *name).ok_or(Problem::new(Kind::NotFound))
}
