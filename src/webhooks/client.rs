//! The client: sends one message over a separate connection, and reads what the server answers.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use actix_rt::time::{sleep, timeout};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{CONTENT_TYPE, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use url::Host;

use super::{answer::Answer, endpoint::Endpoint, message::Message, send_error::SendError};
use crate::{actors::clock::time_of_day, signer::WebhookSecret};

/// How much of the head of an answer is read.
const HEAD_BYTES: usize = 16 << 10;
/// How many headers an answer may have.
const HEADERS: usize = 64;
/// How much of the body of an answer is read, and for how long, so that a server can finish in order. It is not kept.
const BODY_BYTES: usize = 16 << 10;
const BODY_TIME: Duration = Duration::from_secs(1);

/// Sends messages. Clones share what it has read of the system.
#[derive(Clone, Default)]
pub struct Client(Arc<OnceLock<Result<Arc<ClientConfig>, String>>>);

impl Client {
    /// Sends a message, and waits at most for `limit`, from the look-up of the name to the head of the answer.
    pub(super) async fn send(
        &self,
        endpoint: &Endpoint,
        message: &Message,
        secrets: &[WebhookSecret],
        limit: Duration,
    ) -> Result<Answer, SendError> {
        let sent = timeout(limit, self.exchange(endpoint, message, secrets)).await;
        sent.unwrap_or(Err(SendError::TimedOut(limit)))
    }

    async fn exchange(
        &self,
        endpoint: &Endpoint,
        message: &Message,
        secrets: &[WebhookSecret],
    ) -> Result<Answer, SendError> {
        let stream = connect(endpoint).await?;
        let request = || request(endpoint, message, secrets);
        if endpoint.is_tls() {
            let name = match endpoint.host() {
                Host::Domain(name) => ServerName::try_from(name.to_owned()),
                Host::Ipv4(address) => Ok(std::net::IpAddr::from(address).into()),
                Host::Ipv6(address) => Ok(std::net::IpAddr::from(address).into()),
            };
            let name = name.map_err(|error| SendError::Tls(error.to_string()))?;
            let connector = TlsConnector::from(self.tls()?);
            let stream = connector.connect(name, stream).await;
            exchange(stream.map_err(|error| SendError::Tls(error.to_string()))?, request()?).await
        } else {
            exchange(stream, request()?).await
        }
    }

    /// The certificates that the system trusts are read once, when the first message goes over TLS.
    fn tls(&self) -> Result<Arc<ClientConfig>, SendError> {
        self.0.get_or_init(tls).clone().map_err(SendError::Tls)
    }
}

fn tls() -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err("this system trusts no certificates: install its package ca-certificates".to_owned());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Connects to one of the addresses that were just checked, and never resolves the name again.
async fn connect(endpoint: &Endpoint) -> Result<TcpStream, SendError> {
    let mut last = None;
    for address in endpoint.resolve().await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error.to_string()),
        }
    }
    Err(SendError::NotConnected(last.unwrap_or_default()))
}

fn request(
    endpoint: &Endpoint,
    message: &Message,
    secrets: &[WebhookSecret],
) -> Result<Request<Full<Bytes>>, SendError> {
    let timestamp = time_of_day().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let request = Request::post(endpoint.target())
        .header(HOST, endpoint.authority())
        .header(USER_AGENT, concat!("signwave/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", &message.id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", message.signatures(secrets, timestamp))
        .body(Full::new(Bytes::from(message.body.clone())));
    request.map_err(|error| SendError::Broken(error.to_string()))
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Answer, SendError> {
    let broken = |error: hyper::Error| SendError::Broken(error.to_string());
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES).max_headers(HEADERS);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let mut connection = Box::pin(connection);
    let mut response = Box::pin(sender.send_request(request));
    let response = tokio::select! {
        response = &mut response => response,
        // The server has closed the connection, perhaps behind its answer.
        _ = &mut connection => response.await,
    };
    let response = response.map_err(broken)?;
    let now: SystemTime = time_of_day();
    let answer = Answer::new(response.status(), response.headers(), now);
    tokio::select! {
        () = drain(response) => {}
        _ = connection => {}
        () = sleep(BODY_TIME) => {}
    }
    Ok(answer)
}

/// Reads the body of an answer, or the beginning of a long one, and drops it.
async fn drain(response: Response<Incoming>) {
    let (mut body, mut read) = (response.into_body(), 0);
    while read < BODY_BYTES {
        match body.frame().await {
            Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len),
            _ => return,
        }
    }
}
