//! Connections with deadlines, because actix has one for the first head of a connection only: a client that stops
//! in the middle of a later head, or does not read its answer, would stay for ever.

use std::{
    cell::Cell,
    io,
    net::IpAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_web::HttpRequest;
use rustls_pki_types::CertificateDer;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    time::{Instant, Sleep, sleep_until},
};
use tokio_rustls::server::TlsStream;

use super::pace::Pace;

/// How long a head may take, from its first byte.
const HEAD: Duration = Duration::from_secs(5);
/// How long a connection may be idle. Clients and load balancers close theirs earlier, mostly after 60 seconds.
pub const IDLE: Duration = Duration::from_secs(75);
/// How long a client may not take a byte of its answer, nor send one of a body that is answered while it comes.
const STALL: Duration = Duration::from_secs(30);

macro_rules! each {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Stream::Tcp(inner) => {
                let $inner = Pin::new(inner);
                $call
            }
            Stream::Unix(inner) => {
                let $inner = Pin::new(inner);
                $call
            }
            Stream::Tls(inner) => {
                let $inner = Pin::new(inner.as_mut());
                $call
            }
        }
    };
}

/// A connection of a client.
pub struct Connection {
    stream: Stream,
    client: Client,
    head: Timer,
    stall: Timer,
    taking: Pace,
    /// When the last bytes came.
    read: Instant,
}

/// The bytes below HTTP.
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// A UNIX socket.
    Unix(UnixStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Whether a request came over TLS.
pub fn is_encrypted(request: &HttpRequest) -> bool {
    request.conn_data::<Client>().is_some_and(|client| client.is_encrypted)
}

/// What is known of the client at the other end. Each request on the connection has it.
#[derive(Clone)]
pub struct Client {
    /// Its address; `None` on a UNIX socket.
    pub address: Option<IpAddr>,
    /// Whether it speaks TLS with us.
    pub is_encrypted: bool,
    /// The certificate that it proved to own.
    pub certificate: Option<CertificateDer<'static>>,
    phase: Rc<Cell<Phase>>,
}

/// What the connection is doing.
#[derive(Clone, Copy)]
enum Phase {
    /// No byte of the next head has come since then.
    Idle(Instant),
    /// The first byte of a head came then.
    Head(Instant),
    /// A request is being answered. Its body and its handler have deadlines elsewhere.
    Busy,
    /// A body is being answered while it comes. As long as it comes, the client need not read.
    Streaming,
}

impl Client {
    /// Notes that a head is complete. The request lasts until the guard is dropped.
    pub fn begin(&self) -> Busy {
        self.phase.set(Phase::Busy);
        Busy(Rc::clone(&self.phase))
    }

    /// Notes that the request is answered while its body comes. Clients may send all of it before they read.
    pub fn stream(&self) {
        self.phase.set(Phase::Streaming);
    }

    fn streams(&self) -> bool {
        matches!(self.phase.get(), Phase::Streaming)
    }
}

/// A request that is being answered.
pub struct Busy(Rc<Cell<Phase>>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.set(Phase::Idle(Instant::now()));
    }
}

impl Phase {
    fn deadline(self) -> Option<Instant> {
        match self {
            Self::Idle(since) => Some(since + IDLE),
            Self::Head(since) => Some(since + HEAD),
            Self::Busy | Self::Streaming => None,
        }
    }
}

impl Connection {
    /// A connection whose first head must come soon.
    pub fn new(stream: Stream) -> Self {
        let address = match &stream {
            Stream::Tcp(tcp) => tcp.peer_addr().ok().map(|address| address.ip()),
            Stream::Tls(tls) => tls.get_ref().0.peer_addr().ok().map(|address| address.ip()),
            Stream::Unix(_) => None,
        };
        let certificate = match &stream {
            Stream::Tls(tls) => tls.get_ref().1.peer_certificates().and_then(|chain| chain.first()).cloned(),
            Stream::Tcp(_) | Stream::Unix(_) => None,
        };
        let phase = Rc::new(Cell::new(Phase::Head(Instant::now())));
        let is_encrypted = matches!(stream, Stream::Tls(_));
        let certificate = certificate.map(CertificateDer::into_owned);
        let client = Client { address, is_encrypted, certificate, phase };
        let (head, stall, taking) = (Timer::default(), Timer::default(), Pace::default());
        Self { stream, client, head, stall, taking, read: Instant::now() }
    }

    /// What is known of the client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Pending until a deadline for the next head passes, then an error.
    fn late(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let phase = &self.client.phase;
        // While a request is answered nothing is due. The timer still wakes us, because nothing else does when the
        // request ends and the client is silent.
        let due = |now: Instant| phase.get().deadline().unwrap_or(now + IDLE);
        self.head
            .until(due(Instant::now()), cx, || due(Instant::now()))
            .map(|()| timed_out("no request came in time"))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        if let Poll::Ready(read) = each!(&mut self.stream, stream => stream.poll_read(cx, into)) {
            if into.filled().len() > before {
                self.read = Instant::now();
                if let Phase::Idle(_) = self.client.phase.get() {
                    self.client.phase.set(Phase::Head(self.read));
                }
            }
            return Poll::Ready(read);
        }
        self.late(cx).map(Err)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = each!(&mut self.stream, stream => stream.poll_write(cx, bytes));
        self.unless_slow(written, |bytes| *bytes, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = each!(&mut self.stream, stream => stream.poll_flush(cx));
        self.unless_slow(flushed, |()| 0, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = each!(&mut self.stream, stream => stream.poll_shutdown(cx));
        self.unless_slow(shut, |()| 0, cx)
    }
}

impl Connection {
    /// The result of a write of `bytes` bytes; an error when the client takes its answer too slowly.
    fn unless_slow<T>(
        &mut self,
        result: Poll<io::Result<T>>,
        bytes: impl FnOnce(&T) -> usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        let slow = || timed_out("the client takes its answer too slowly");
        if let Poll::Ready(written) = result {
            let waited = self.stall.stop();
            let bytes = written.as_ref().map_or(0, bytes);
            let is_slow = !self.client.streams() && self.taking.is_too_slow_after(waited, bytes, STALL);
            return Poll::Ready(if is_slow { Err(slow()) } else { written });
        }
        let began = self.stall.begin();
        let since = if self.client.streams() { began.max(self.read) } else { began };
        self.stall.until(since + STALL, cx, || since + STALL).map(|()| Err(slow()))
    }
}

fn timed_out(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, why)
}

/// A timer that is only made when something must wait.
#[derive(Default)]
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    began: Option<Instant>,
}

impl Timer {
    /// Ready when a deadline has passed. `due` is the deadline as it is when the timer wakes.
    fn until(&mut self, mut deadline: Instant, cx: &mut Context<'_>, due: impl Fn() -> Instant) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        loop {
            if sleep.deadline() > deadline {
                sleep.as_mut().reset(deadline);
            }
            ready!(sleep.as_mut().poll(cx));
            deadline = due();
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }

    /// When the waiting began: now, unless it has begun.
    fn begin(&mut self) -> Instant {
        *self.began.get_or_insert_with(Instant::now)
    }

    /// Ends the waiting, and returns how long it took.
    fn stop(&mut self) -> Duration {
        self.sleep = None;
        self.began.take().map_or(Duration::ZERO, |began| began.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin};

    use tokio::{io::AsyncWriteExt as _, time::advance};

    use super::*;

    /// Writes until nothing more fits; the kind of the error, if there is one.
    async fn write(connection: &mut Connection) -> Option<io::ErrorKind> {
        let mut connection = pin!(connection);
        poll_fn(|cx| {
            loop {
                match connection.as_mut().poll_write(cx, &[0; 1 << 16]) {
                    Poll::Ready(Ok(_)) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Some(error.kind())),
                    Poll::Pending => return Poll::Ready(None),
                }
            }
        })
        .await
    }

    async fn read(connection: &mut Connection) {
        let (mut connection, mut bytes) = (pin!(connection), [0; 1]);
        let mut into = ReadBuf::new(&mut bytes);
        poll_fn(|cx| connection.as_mut().poll_read(cx, &mut into)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_a_streamed_body_need_not_read_and_any_other_must() {
        let almost = STALL - Duration::from_secs(1);
        for streams in [true, false] {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            let mut connection = Connection::new(Stream::Unix(ours));
            let _busy = connection.client().begin();
            if streams {
                connection.client().stream();
            }
            assert_eq!(write(&mut connection).await, None);
            for _ in 0..3 {
                advance(almost).await;
                theirs.write_all(b"x").await.unwrap();
                read(&mut connection).await;
                let written = write(&mut connection).await;
                if streams {
                    assert_eq!(written, None, "it still sends");
                }
            }
            let stalled = Some(io::ErrorKind::TimedOut);
            if streams {
                advance(almost).await;
                assert_eq!(write(&mut connection).await, None);
            } else {
                assert_eq!(write(&mut connection).await, stalled);
            }
            advance(STALL).await;
            assert_eq!(write(&mut connection).await, stalled, "it does neither");
        }
    }
}
