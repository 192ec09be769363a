//! `POST /v1/session`: signs in.

use std::time::{Duration, Instant};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::SET_COOKIE,
    web::{Data, Payload},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{cookie::Cookie, cross_site, current::SessionBody};
use crate::{
    access::Token,
    domain::{By, Who},
    http::{
        answer,
        app::App,
        caller::{self, Carrier},
        json,
        problem::{Kind, Problem},
    },
    store::{AddSessionVerdict, NewSession, SessionOrigin},
};

/// How long a session lasts at most.
const LIFE: Duration = Duration::from_secs(12 * 3600);
/// How long a session is listed after its end. The audit log names it for ever.
const KEPT: Duration = Duration::from_secs(7 * 86_400);
/// The largest body.
const LIMIT: usize = 4 << 10;

/// What signs in: one of the two.
#[derive(Deserialize, ToSchema)]
#[schema(as = SignIn)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// A token.
    token: Option<String>,
    /// The code of the link that `signwave serve` prints on a terminal.
    code: Option<String>,
}

impl Drop for Credentials {
    fn drop(&mut self) {
        use zeroize::Zeroize as _;
        self.token.zeroize();
        self.code.zeroize();
    }
}

/// Signs in to the dashboard: the answer sets a cookie, which has the scopes of the token.
///
/// The session lasts for 12 hours at most, and never longer than the token. Programs send the token itself with each
/// request instead. An address whose attempts fail ten times a minute must wait.
#[utoipa::path(
    post, path = "/v1/session", operation_id = "sign_in", tag = "session", request_body = Credentials,
    responses(
        (status = 200, description = "The session", body = SessionBody,
         headers(("Set-Cookie" = String, description = "`__Host-signwave` over TLS, otherwise `signwave`"))),
        (status = 401, description = "The token cannot be used, or the code was used, is too old or wrong"),
        (status = 403, description = "A page of another site sent the request"),
        (status = 429, description = "Too many attempts have failed"),
        (status = 503, description = "The service is overloaded or stopping, or the database does not answer"),
    )
)]
pub async fn sign_in(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
) -> Result<HttpResponse, Problem> {
    cross_site::check_sign_in(&request)?;
    let address = caller::address(&request);
    app.attempts().allow(address)?;
    let credentials: Credentials = json::read(&request, payload, LIMIT, &app).await?;
    let result = admit(&credentials, &request, &app).await;
    if matches!(&result, Err(problem) if problem.kind == Kind::InvalidToken) {
        app.attempts().failed(address);
    }
    result
}

async fn admit(credentials: &Credentials, request: &HttpRequest, app: &App) -> Result<HttpResponse, Problem> {
    let (origin, by) = match credentials {
        Credentials { token: Some(token), code: None } => by_token(token, request, app).await?,
        Credentials { token: None, code: Some(code) } => by_code(code, request, app)?,
        _ => return Err(Problem::because(Kind::InvalidRequest, "Send either a token or a code.")),
    };
    let secret = Token::issue();
    let (id, hash) = (secret.id(), secret.hash());
    let session = NewSession { id, secret: hash, origin, expires_in: LIFE, kept_for: KEPT };
    match app.change(move |store| store.add_session(&session, &by)).await? {
        AddSessionVerdict::Added(row) => {
            let lasts = row.remaining.unwrap_or_default();
            let mut response = HttpResponse::Ok();
            response.insert_header((SET_COOKIE, Cookie::of(request).set(&secret.text(), lasts)));
            Ok(answer::json(response, &SessionBody::from(&*row)))
        }
        // It ended since it was looked at.
        AddSessionVerdict::NoSuchToken => Err(Problem::new(Kind::InvalidToken)),
    }
}

async fn by_token(text: &str, request: &HttpRequest, app: &App) -> Result<(SessionOrigin, By), Problem> {
    let token = Token::parse(text.trim()).map_err(|_| Problem::new(Kind::InvalidToken))?;
    caller::authorized(&token, Carrier::Header, request, app).await?;
    app.rates().of_session(token.id())?;
    let origin = SessionOrigin::Token(token.id(), token.hash());
    Ok((origin, caller::by(request, Who::Token(token.id()))))
}

fn by_code(code: &str, request: &HttpRequest, app: &App) -> Result<(SessionOrigin, By), Problem> {
    let invalid = Problem::because(
        Kind::InvalidToken,
        "The link was used, is older than five minutes, or is that of another start of the service.",
    );
    let terminal = app.terminal().filter(|terminal| terminal.link.redeem(code, Instant::now()));
    let terminal = terminal.ok_or(invalid)?;
    let origin = SessionOrigin::Terminal(terminal.name.clone(), terminal.scopes);
    Ok((origin, caller::by(request, terminal.who.clone())))
}
