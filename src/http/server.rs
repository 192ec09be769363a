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
    edge::{Hosts, Outside},
    listener::{Access, Listener, Socket},
    openapi,
    request_id::Ids,
    route::Surface,
    routes,
    running::Running,
    tls::{self, Identity},
};

/// How long a TLS handshake, or the first head of a connection, may take.
const FIRST: Duration = Duration::from_secs(5);
/// Connections at a time. More wait to be accepted.
const CONNECTIONS: usize = 10_000;

/// Where the API answers, and to whom.
pub struct Server {
    /// The sockets, and what is answered at each.
    pub listeners: Vec<(Listener, Surface)>,
    /// The names by which the service may be called.
    pub hosts: Hosts,
}

impl Server {
    /// Starts to answer. To be called inside an actix system.
    ///
    /// # Errors
    /// When the operating system refuses a thread or random numbers.
    pub fn start(self, app: &App) -> io::Result<Running> {
        let mut builder = actix_server::Server::build()
            .workers(workers())
            .max_concurrent_connections(CONNECTIONS)
            .shutdown_timeout(Running::LAST_ANSWERS)
            .disable_signals();
        let stops = builder.graceful_shutdown_signal();
        let outside = Outside {
            app: app.clone(),
            hosts: Arc::new(self.hosts),
            ids: Arc::new(Ids::new()?),
            document: Data::new(openapi::document()),
        };
        let front = Front { outside, stops };
        let (mut helpers, mut sockets) = (Vec::new(), Vec::new());
        for (listener, surface) in self.listeners {
            log::info!("{surface} at {}", listener.url());
            if let Access::Tls(identity) = &listener.access {
                helpers.push(actix_rt::spawn(refresh(identity.clone())));
            }
            match listener.socket {
                Socket::Tcp(socket) => {
                    builder = front.clone().listen(builder, socket, listener.access, surface)?
                }
                Socket::Unix(socket, unlink) => {
                    builder = front.clone().listen_unix(builder, socket, surface)?;
                    sockets.push(unlink);
                }
            }
        }
        let server = builder.run();
        let handle = server.handle();
        let stopping = app.stopping().clone();
        Ok(Running { handle, server: actix_rt::spawn(server), helpers, stopping, sockets })
    }
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
        let answers = routes::answers(self.outside, surface);
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
