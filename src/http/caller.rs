//! The caller: who sends a request, by its token, its session or its certificate.

use std::{net::IpAddr, sync::Arc, time::Duration};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload, http::header::AUTHORIZATION};
use rustls_pki_types::CertificateDer;
use tokio::time::Instant;

use super::{
    app::App,
    connection::Client,
    problem::{Kind, Problem},
    request_id::RequestId,
    session::{cookie::Cookie, cross_site},
    tokens::NOTED,
};
use crate::{
    access::{Refusal, Token, authorize, authorize_certificate},
    domain::{By, Scope, Scopes, TokenId, TokenState, Who},
    signer::certificate_key_of_der,
    store::{StoredToken, TokenRow},
};

/// Who sends a request, and what it may do. It is known before a handler runs.
#[derive(Clone, Debug)]
pub struct Caller {
    token: TokenId,
    scopes: Scopes,
    address: Option<IpAddr>,
    request: String,
    expires_at: Option<Instant>,
}

impl Caller {
    /// The id of its token.
    pub fn token(&self) -> TokenId {
        self.token
    }

    /// What it may do.
    pub fn scopes(&self) -> Scopes {
        self.scopes
    }

    /// When its token expires; `None` is never.
    pub fn expires_at(&self) -> Option<Instant> {
        self.expires_at
    }

    /// Who makes a change, for the audit log.
    pub fn by(&self) -> By {
        By {
            who: Who::Token(self.token),
            address: self.address.map(|address| address.to_string()),
            request: Some(self.request.clone()),
        }
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // A route that asks for nothing has no caller.
        let caller = request.extensions().get::<Self>().cloned();
        std::future::ready(caller.ok_or(Problem::new(Kind::InvalidToken)))
    }
}

/// Who sends `request`. A token in a header goes before the cookie of a session, and both before a certificate.
///
/// # Errors
/// [`Kind::InvalidToken`], [`Kind::CrossSiteRequest`], [`Kind::TooManyRequests`], or an error of the database.
pub async fn of(request: &HttpRequest, app: &App) -> Result<Caller, Problem> {
    let certificate = request.conn_data::<Client>().and_then(|client| client.certificate.as_ref());
    let known = match (bearer(request), session(request), certificate) {
        (Some(token), ..) => by_token(&token?, Carrier::Header, request, app).await?,
        (None, Some(token), _) => by_token(&token?, Carrier::Cookie, request, app).await?,
        (None, None, Some(certificate)) => by_certificate(certificate, app).await?,
        (None, None, None) => return Err(Problem::new(Kind::InvalidToken)),
    };
    admitted(known, request, app)
}

/// Whose session the cookie of `request` belongs to.
///
/// # Errors
/// As [`of`].
pub async fn of_session(request: &HttpRequest, app: &App) -> Result<Caller, Problem> {
    let token = session(request).unwrap_or(Err(Problem::new(Kind::InvalidToken)))?;
    admitted(by_token(&token, Carrier::Cookie, request, app).await?, request, app)
}

fn admitted(known: Known, request: &HttpRequest, app: &App) -> Result<Caller, Problem> {
    let Known { token, scopes, expires_at } = known;
    app.rates().of_token(token)?;
    note_use(token, app);
    Ok(Caller { token, scopes, address: address(request), request: request_id(request), expires_at })
}

/// Who makes the change that `request` asks for, for the audit log, where no caller is known yet.
pub fn by(request: &HttpRequest, who: Who) -> By {
    let address = address(request).map(|address| address.to_string());
    By { who, address, request: Some(request_id(request)) }
}

/// The address of the client; `None` on a UNIX socket.
pub fn address(request: &HttpRequest) -> Option<IpAddr> {
    request.conn_data::<Client>().and_then(|client| client.address)
}

fn request_id(request: &HttpRequest) -> String {
    request.extensions().get::<RequestId>().map(|id| id.as_str().to_owned()).unwrap_or_default()
}

/// The session in the cookie, if there is a cookie that the service's own page has sent.
fn session(request: &HttpRequest) -> Option<Result<Token, Problem>> {
    let value = Cookie::of(request).value(request)?;
    let token = Token::parse(value).map_err(|_| Problem::new(Kind::InvalidToken));
    Some(cross_site::check(request).and(token))
}

/// The token in the header Authorization (RFC 6750, section 2.1), if there is such a header.
fn bearer(request: &HttpRequest) -> Option<Result<Token, Problem>> {
    let header = request.headers().get(AUTHORIZATION)?;
    let token = header.to_str().ok().and_then(|text| text.split_once(' ')).and_then(|(scheme, token)| {
        if scheme.eq_ignore_ascii_case("bearer") { Token::parse(token.trim()).ok() } else { None }
    });
    Some(token.ok_or(Problem::new(Kind::InvalidToken)))
}

/// A token that may be used.
struct Known {
    token: TokenId,
    scopes: Scopes,
    expires_at: Option<Instant>,
}

impl Known {
    /// The token of `row`, which was read `age` ago.
    fn new(row: &TokenRow, scopes: Scopes, age: Duration) -> Self {
        let left = row.remaining.map(|remaining| remaining.saturating_sub(age));
        Self { token: row.id, scopes, expires_at: left.and_then(|left| Instant::now().checked_add(left)) }
    }
}

/// What carries a token. Sessions come in cookies, and all other tokens in headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The header Authorization, or the body of a request to sign in.
    Header,
    /// The cookie.
    Cookie,
}

async fn by_token(
    token: &Token,
    carrier: Carrier,
    request: &HttpRequest,
    app: &App,
) -> Result<Known, Problem> {
    let (row, scopes, age) = authorized(token, carrier, request, app).await?;
    Ok(Known::new(&row.row, scopes, age))
}

/// The row of a token that may be used and comes by the right carrier, what it may do, and the age of the row.
///
/// # Errors
/// As [`of`].
pub async fn authorized(
    token: &Token,
    carrier: Carrier,
    request: &HttpRequest,
    app: &App,
) -> Result<(Arc<StoredToken>, Scopes, Duration), Problem> {
    let id = token.id();
    let read = async {
        app.rates().of_unknown(address(request))?;
        app.read(move |store| store.token(id)).await
    };
    let found = app.tokens().by_id.row(id, read).await?;
    let (stored, age) = found.ok_or(Problem::new(Kind::InvalidToken))?;
    let scopes = authorize(&stored, token, age).map_err(|refusal| refused(&refusal))?;
    if stored.row.parent.is_some() != (carrier == Carrier::Cookie) {
        return Err(Problem::new(Kind::InvalidToken));
    }
    Ok((stored, scopes, age))
}

async fn by_certificate(certificate: &CertificateDer<'_>, app: &App) -> Result<Known, Problem> {
    let invalid = || Problem::new(Kind::InvalidToken);
    // A client that renews its certificate keeps its key.
    let key = certificate_key_of_der(certificate).map_err(|_| invalid())?;
    let read = app.read(move |store| store.token_of_certificate(key));
    let (row, age) = app.tokens().by_certificate.row(key, read).await?.ok_or_else(invalid)?;
    let scopes = authorize_certificate(&row, age).map_err(|refusal| refused(&refusal))?;
    Ok(Known::new(&row, scopes, age))
}

/// Whether the token of `caller` can still be used for what `scope` allows, a few seconds ago at most. For answers that
/// last longer than that. If the database does not answer, it can be.
pub async fn is_in_force(caller: &Caller, scope: Scope, app: &App) -> bool {
    let id = caller.token;
    match app.tokens().by_id.row(id, app.read(move |store| store.token(id))).await {
        Ok(found) => found.is_some_and(|(stored, age)| {
            stored.row.state(age) == TokenState::Active && stored.row.scopes.allows(scope)
        }),
        Err(_) => true,
    }
}

/// A client without the right secret is told no more than that.
fn refused(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::Wrong => Problem::new(Kind::InvalidToken),
        refusal => Problem::because(Kind::InvalidToken, refusal.to_string()),
    }
}

/// Notes in the database that a token was used, while its request is answered. A note that fails is lost; the next
/// one comes within a minute.
fn note_use(token: TokenId, app: &App) {
    if app.tokens().is_due(token) {
        let app = app.clone();
        actix_rt::spawn(async move { drop(app.change(move |store| store.note_use(token, NOTED)).await) });
    }
}
