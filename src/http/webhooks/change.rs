//! Changes of webhooks, and their trial. An internal address can be allowed by the command line only, because a token of
//! the API must not reach into the network of the service.

use std::borrow::Cow;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::LOCATION,
    web::{self, Data, Path, Payload},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    body::{NewWebhookBody, WebhookBody},
    list::{named, row},
};
use crate::{
    domain::WebhookName,
    http::{
        answer,
        app::App,
        caller::Caller,
        json,
        problem::{Kind, Problem},
    },
    signer::WebhookSecret,
    store::{AddWebhookVerdict, NewWebhook},
    webhooks::{Endpoint, OVERLAP, try_out},
};

/// The largest body.
const LIMIT: usize = 8 << 10;

/// A webhook to add.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewWebhook)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// What to call it.
    #[schema(pattern = "^[a-z][a-z0-9-]{0,63}$")]
    name: String,
    /// Where to send messages: https, and a public address.
    #[schema(max_length = 2048)]
    url: String,
}

/// What became of a test message.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookTrial)]
pub struct TrialBody {
    /// Whether the server accepted it.
    accepted: bool,
    /// What the server answered, such as `200 OK`, or why there is no answer.
    result: String,
}

/// Adds a webhook, which is told of signatures that are stored from now on. The answer has its secret, which cannot be
/// shown again.
#[utoipa::path(
    post, path = "/v1/webhooks", operation_id = "add_webhook", tag = "webhooks", request_body = Wanted,
    responses(
        (status = 201, description = "The webhook, with its secret", body = NewWebhookBody),
        (status = 409, description = "Another webhook has this name, there are too many, or this process has no master key"),
    )
)]
pub async fn add(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let wanted: Wanted = json::read(&request, payload, LIMIT, &app).await?;
    let name: WebhookName = wanted.name.parse().map_err(|_| {
        invalid("The name has 1 to 64 characters a to z, 0 to 9 and '-', and begins with a letter.")
    })?;
    let endpoint = Endpoint::check(&wanted.url, false).await;
    let endpoint = endpoint.map_err(|error| invalid(format!("The url is refused: {error}.")))?;
    let (secret, sealed_secret) = sealed(&app, &name).await?;
    let url = endpoint.as_str().to_owned();
    let new = NewWebhook { name: name.clone(), url, allow_internal: false, sealed_secret };
    match app.change(move |store| store.add_webhook(&new, &caller.by())).await? {
        AddWebhookVerdict::Added(row) => {
            let mut created = HttpResponse::Created();
            created.insert_header((LOCATION, format!("/v1/webhooks/{name}")));
            let body =
                NewWebhookBody { secret: secret.text().to_string(), webhook: WebhookBody::from(&*row) };
            Ok(answer::json(created, &body))
        }
        AddWebhookVerdict::NameTaken => Err(Problem::new(Kind::WebhookRefused)),
        AddWebhookVerdict::TooMany => {
            Err(Problem::because(Kind::WebhookRefused, "There are 100 webhooks already."))
        }
    }
}

/// Gives a webhook another secret. For 24 hours, the one before signs messages, too.
#[utoipa::path(
    post, path = "/v1/webhooks/{name}/rotate", operation_id = "rotate_webhook", tag = "webhooks",
    params(("name" = String, Path, description = "The name of the webhook", pattern = "^[a-z][a-z0-9-]{0,63}$")),
    responses(
        (status = 200, description = "The webhook, with its new secret", body = NewWebhookBody),
        (status = 409, description = "This process has no master key"),
    )
)]
pub async fn rotate(app: Data<App>, caller: Caller, name: Path<String>) -> Result<HttpResponse, Problem> {
    let name = named(&name)?;
    row(&app, &name).await?;
    let (secret, sealed) = sealed(&app, &name).await?;
    let meant = name.clone();
    let rotated =
        app.change(move |store| store.rotate_webhook(&meant, &sealed, OVERLAP, &caller.by())).await?;
    found(rotated)?;
    let webhook = WebhookBody::from(&row(&app, &name).await?);
    Ok(answer::ok(&NewWebhookBody { secret: secret.text().to_string(), webhook }))
}

/// Enables a webhook that was disabled, and sends to it at once, also if it waits after a failure.
#[utoipa::path(
    post, path = "/v1/webhooks/{name}/enable", operation_id = "enable_webhook", tag = "webhooks",
    params(("name" = String, Path, description = "The name of the webhook", pattern = "^[a-z][a-z0-9-]{0,63}$")),
    responses((status = 200, description = "The webhook", body = WebhookBody))
)]
pub async fn enable(app: Data<App>, caller: Caller, name: Path<String>) -> Result<HttpResponse, Problem> {
    let name = named(&name)?;
    let meant = name.clone();
    found(app.change(move |store| store.enable_webhook(&meant, &caller.by())).await?)?;
    Ok(answer::ok(&WebhookBody::from(&row(&app, &name).await?)))
}

/// Sends a test message now, also to a webhook that is disabled, and changes nothing. The answer comes after 20 seconds at
/// the latest.
#[utoipa::path(
    post, path = "/v1/webhooks/{name}/test", operation_id = "test_webhook", tag = "webhooks",
    params(("name" = String, Path, description = "The name of the webhook", pattern = "^[a-z][a-z0-9-]{0,63}$")),
    responses(
        (status = 200, description = "What became of the message", body = TrialBody),
        (status = 409, description = "This process has no master key"),
    )
)]
pub async fn test(app: Data<App>, name: Path<String>) -> Result<HttpResponse, Problem> {
    let name = named(&name)?;
    let stored = app.read(move |store| store.webhook(&name)).await?.ok_or(Problem::new(Kind::NotFound))?;
    must_have_master_key(&app)?;
    let (accepted, result) = match try_out(&stored, app.keyring()).await {
        Ok(answer) => (answer.is_success(), answer.to_string()),
        Err(error) => (false, error.to_string()),
    };
    Ok(answer::ok(&TrialBody { accepted, result }))
}

/// Removes a webhook with its secret and its position.
#[utoipa::path(
    delete, path = "/v1/webhooks/{name}", operation_id = "remove_webhook", tag = "webhooks",
    params(("name" = String, Path, description = "The name of the webhook", pattern = "^[a-z][a-z0-9-]{0,63}$")),
    responses((status = 204, description = "The webhook is removed"))
)]
pub async fn remove(app: Data<App>, caller: Caller, name: Path<String>) -> Result<HttpResponse, Problem> {
    let name = named(&name)?;
    found(app.change(move |store| store.remove_webhook(&name, &caller.by())).await?)?;
    Ok(HttpResponse::NoContent().finish())
}

/// A new secret, and the same under the master key.
async fn sealed(app: &App, name: &WebhookName) -> Result<(WebhookSecret, Vec<u8>), Problem> {
    must_have_master_key(app)?;
    let (keyring, name, secret) = (app.keyring().clone(), name.clone(), WebhookSecret::generate());
    // The master key may be read by a command.
    let made = web::block(move || keyring.seal_webhook_secret(&name, &secret).map(|sealed| (secret, sealed)));
    let made = made.await.map_err(|_| Problem::new(Kind::Internal))?;
    made.map_err(|error| {
        log::error!("api: {error}");
        Problem::new(Kind::Internal)
    })
}

fn must_have_master_key(app: &App) -> Result<(), Problem> {
    if app.keyring().has_master_key() { Ok(()) } else { Err(Problem::new(Kind::NoMasterKey)) }
}

fn found(found: bool) -> Result<(), Problem> {
    if found { Ok(()) } else { Err(Problem::new(Kind::NotFound)) }
}

fn invalid(detail: impl Into<Cow<'static, str>>) -> Problem {
    Problem::because(Kind::InvalidRequest, detail)
}
