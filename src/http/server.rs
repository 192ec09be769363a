//! The server: accepts connections, and gives them to actix.

use std::{io, sync::Arc, time::Duration};

use actix_http::{HttpService, error::DispatchError};
use actix_rt::time::{interval, timeout};
use actix_server::{GracefulShutdownSignal, ServerBuilder};
use actix_service::{ServiceFactory, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::{dev::AppConfig, web::Data};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;

use super::{
    app::App,
    connection::{Connection, IDLE, Stream},
    docs::Document,
    edge::{Hosts, Outside},
    listener::{Access, Listener, Socket},
    openapi,
    request_id::Ids,
    route::Surface,
    routes,
    running::{Answering, Running},
    tls::{self, Identity},
};

/// How long a TLS handshake, or the first head of a connection, may take.
const FIRST: Duration = Duration::from_secs(5);

/// Where the API answers, and to whom.
pub struct Server {
    /// The sockets, and what is answered at each.
    pub listeners: Vec<(Listener, Surface)>,
    /// The names by which the service may be called.
    pub hosts: Hosts,
    /// Connections at a time, at each socket. More wait to be accepted.
    pub connections: usize,
    /// Whether the API has the dashboard.
    pub has_dashboard: bool,
}

impl Server {
    /// Starts to answer. To be called inside an actix system.
    ///
    /// # Errors
    /// When the operating system refuses a thread or random numbers.
    pub fn start(self, app: &App) -> io::Result<Running> {
        let (hosts, ids) = (Arc::new(self.hosts), Arc::new(Ids::new()?));
        let outside = Outside { app: app.clone(), hosts, ids, has_dashboard: self.has_dashboard };
        let document = Data::new(Document::new(openapi::text));
        let start = |(listener, surface)| {
            let front = |stops| Front { outside: outside.clone(), document: document.clone(), stops };
            start(listener, surface, self.connections, front)
        };
        let servers = self.listeners.into_iter().map(start).collect::<io::Result<_>>()?;
        Ok(Running { servers, stopping: app.stopping().clone() })
    }
}

fn start(
    listener: Listener,
    surface: Surface,
    connections: usize,
    front: impl FnOnce(GracefulShutdownSignal) -> Front,
) -> io::Result<Answering> {
    log::info!("{surface} at {}", listener.url());
    let builder = actix_server::Server::build()
        .workers(workers())
        .max_concurrent_connections(connections.div_ceil(workers()))
        .shutdown_timeout(Running::LAST_ANSWERS)
        .disable_signals();
    let front = front(builder.graceful_shutdown_signal());
    let refreshing = match &listener.access {
        Access::Tls(identity) => {
            front.outside.app.note_certificate(identity);
            Some(actix_rt::spawn(refresh(identity.clone())))
        }
        Access::Plain => None,
    };
    let (builder, socket) = match listener.socket {
        Socket::Tcp(socket) => (front.listen(builder, socket, listener.access, surface)?, None),
        Socket::Unix(socket, unlink) => (front.listen_unix(builder, socket, surface)?, Some(unlink)),
    };
    let server = builder.run();
    Ok(Answering { handle: server.handle(), server: actix_rt::spawn(server), refreshing, _socket: socket })
}

/// Threads that answer: few, because the cores are there to sign.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(4))
}

async fn refresh(identity: Identity) {
    let mut ticks = interval(tls::LOOK_AGAIN);
    loop {
        ticks.tick().await;
        identity.refresh();
    }
}

/// What every worker of every listener starts from.
#[derive(Clone)]
struct Front {
    outside: Outside,
    document: Data<Document>,
    stops: GracefulShutdownSignal,
}

impl Front {
    fn listen(
        self,
        builder: ServerBuilder,
        socket: std::net::TcpListener,
        access: Access,
        surface: Surface,
    ) -> io::Result<ServerBuilder> {
        builder.listen(surface.to_string(), socket, move || {
            let access = access.clone();
            fn_service(move |tcp: TcpStream| accept(tcp, access.clone()))
                .map_err(DispatchError::Io)
                .and_then(self.clone().http(surface))
        })
    }

    fn listen_unix(
        self,
        builder: ServerBuilder,
        socket: std::os::unix::net::UnixListener,
        surface: Surface,
    ) -> io::Result<ServerBuilder> {
        builder.listen_uds(surface.to_string(), socket, move || {
            fn_service(async |unix: UnixStream| Ok(accepted(Stream::Unix(unix))))
                .map_err(DispatchError::Io)
                .and_then(self.clone().http(surface))
        })
    }

    fn http(
        self,
        surface: Surface,
    ) -> impl ServiceFactory<Accepted, Config = (), Response = (), Error = DispatchError, InitError = ()>
    {
        let stops = self.stops.clone();
        let answers = routes::answers(self.outside, self.document, surface);
        HttpService::build()
            .keep_alive(IDLE)
            .client_request_timeout(FIRST)
            .client_disconnect_timeout(Duration::from_secs(1))
            .h1_allow_half_closed(false)
            .graceful_shutdown_signal(move || {
                let stops = stops.clone();
                async move { stops.notified().await }
            })
            .on_connect_ext(|connection: &Connection, extensions| {
                _ = extensions.insert(connection.client().clone())
            })
            .finish(map_config(answers, |()| AppConfig::default()))
    }
}

/// A connection as actix takes it.
type Accepted = (Connection, actix_http::Protocol, Option<std::net::SocketAddr>);

async fn accept(tcp: TcpStream, access: Access) -> io::Result<Accepted> {
    tcp.set_nodelay(true)?;
    Ok(match access {
        Access::Plain => accepted(Stream::Tcp(tcp)),
        Access::Tls(identity) => {
            let acceptor = TlsAcceptor::from(identity.config());
            let handshake = timeout(FIRST, acceptor.accept(tcp)).await;
            accepted(Stream::Tls(Box::new(handshake.map_err(|_| io::ErrorKind::TimedOut)??)))
        }
    })
}

fn accepted(stream: Stream) -> Accepted {
    (Connection::new(stream), actix_http::Protocol::Http1, None)
}
