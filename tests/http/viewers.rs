//! Events: one status query a second for all viewers and none without, and no end without a reason.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use signwave::{
    access::Token,
    actors::{self, Event, Events, Mode, Parts},
    config::{Roles, Settings},
    domain::{BatchId, Epoch},
    http::{Access, App, Hosts, Listener, Server, Surface},
    signer::{Engine, Keyring, MasterKeys},
    store::{Access as _, Credential, NewToken, Store},
};
use support::{
    faulty::{FaultyStore, Method},
    memory::MemoryStore,
    store::by,
    waiting::until,
};
use tokio::sync::oneshot;

/// The API in this process, over a store that counts its calls. Nothing is signed.
struct Site {
    address: SocketAddr,
    store: Arc<FaultyStore>,
    events: Events,
    stop: Option<oneshot::Sender<()>>,
    server: Option<thread::JoinHandle<()>>,
}

impl Site {
    fn start() -> Self {
        let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
        let keyring = Arc::new(Keyring::of(Engine::default(), MasterKeys::default()));
        let mode = Mode::Serve("emit".parse::<Roles>().unwrap());
        let parts = Parts::new(Settings::default(), Arc::clone(&keyring) as _, mode);
        let (events, shared) = (parts.events.clone(), Arc::clone(&store) as Arc<dyn Store>);
        let listener =
            Listener::bind(&"127.0.0.1:0".parse().unwrap(), Access::Plain, false).unwrap().unwrap();
        let address = listener.url().strip_prefix("http://").unwrap().parse().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let transactions = actors::transactions(&shared);
                let app = App::new(&parts, &shared, &transactions, keyring);
                let server = Server {
                    listeners: vec![(listener, Surface::Api)],
                    hosts: Hosts::default(),
                    connections: 1000,
                    has_dashboard: true,
                };
                server.start(&app).unwrap().run(async { drop(stopped.await) }).await;
            });
        });
        Self { address, store, events, stop: Some(stop), server: Some(server) }
    }

    fn token(&self, lives: Option<Duration>) -> String {
        let token = Token::issue();
        let new = NewToken {
            id: token.id(),
            name: "viewer".parse().unwrap(),
            scopes: "read".parse().unwrap(),
            credential: Credential::Secret(token.hash()),
            expires_in: lives,
        };
        self.store.add_token(&new, &by()).unwrap();
        token.text().to_string()
    }

    /// Begins to look at the events; the lines come through the channel, which ends with the stream.
    fn look(&self, token: &str, path: &str, headers: &str) -> mpsc::Receiver<String> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let (lines, seen) = mpsc::channel();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n{headers}\r\n",
            self.address
        )
        .unwrap();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                // The chunk of no bytes ends the stream.
                if line == "0" || lines.send(line).is_err() {
                    break;
                }
            }
        });
        seen
    }

    fn queries(&self) -> usize {
        self.store.count(Method::Status)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.server.take().map(thread::JoinHandle::join));
    }
}

/// The next line that begins like this.
fn next(seen: &mpsc::Receiver<String>, beginning: &str) -> String {
    let until = Instant::now() + Duration::from_secs(90);
    loop {
        let line = seen.recv_timeout(until.saturating_duration_since(Instant::now())).unwrap();
        if line.starts_with(beginning) {
            return line;
        }
    }
}

#[test]
fn however_many_look_there_is_one_query_a_second_and_none_when_nobody_does() {
    let site = Site::start();
    let token = site.token(None);
    assert_eq!(site.queries(), 0);
    let viewers: Vec<_> = (0..5).map(|_| site.look(&token, "/v1/events", "")).collect();
    let (began, before) = (Instant::now(), site.queries());
    for viewer in &viewers {
        assert_eq!(next(viewer, "retry:"), "retry: 2000");
        for _ in 0..4 {
            next(viewer, "event: status");
            assert!(next(viewer, "data:").contains("\"seconds_left\":0.0"));
        }
    }
    let (seconds, queries) = (began.elapsed().as_secs() as usize, site.queries() - before);
    assert!(queries >= 3 && queries <= seconds + 2, "{queries} queries in {seconds} s");
    drop(viewers);
    // The service notices that nobody reads when it writes; then the feed ends at its next tick.
    let mut last = (site.queries(), Instant::now());
    until("nobody asks any more", Duration::from_secs(60), || {
        let queries = site.queries();
        if queries != last.0 {
            last = (queries, Instant::now());
        }
        last.1.elapsed() > Duration::from_millis(2500)
    });
    let again = site.look(&token, "/v1/events", "");
    next(&again, "event: status");
}

/// The batch of a fenced commit, which happened a moment ago.
fn batch(data: &str) -> String {
    let data: serde_json::Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
    let at = humantime::parse_rfc3339(data["at"].as_str().unwrap()).unwrap();
    assert!(at.elapsed().unwrap() < Duration::from_secs(60), "{data}");
    assert_eq!(data["epoch"], "1");
    data["batch"].as_str().unwrap().to_owned()
}

#[test]
fn a_client_that_reconnects_gets_what_it_missed_and_only_the_kinds_that_it_wants() {
    let site = Site::start();
    let token = site.token(None);
    let fenced = |batch| Event::Fenced { batch: BatchId(batch), epoch: Epoch(1) };
    site.events.tell(fenced(1));
    let first = site.look(&token, "/v1/events?types=fenced,database-away", "");
    next(&first, "retry:");
    site.events.tell(fenced(2));
    let id = next(&first, "id:");
    assert_eq!(batch(&next(&first, "data:")), "2", "what was before is not repeated");
    drop(first);
    site.events.tell(Event::Refused { batch: BatchId(3) });
    site.events.tell(fenced(4));
    let last = format!("Last-Event-ID: {}\r\n", id.strip_prefix("id: ").unwrap());
    let second = site.look(&token, "/v1/events?types=fenced,database-away", &last);
    assert_eq!(batch(&next(&second, "data:")), "4");
    let stranger = site.look(&token, "/v1/events?types=fenced", "Last-Event-ID: 00000000-9\r\n");
    assert_eq!(batch(&next(&stranger, "data:")), "1", "it saw another process");
    assert_eq!(next(&site.look(&token, "/v1/events?types=all", ""), "HTTP/1.1"), "HTTP/1.1 400 Bad Request");
}

#[test]
fn a_stream_ends_when_its_token_expires_and_when_the_service_stops() {
    let mut site = Site::start();
    let short = site.look(&site.token(Some(Duration::from_secs(8))), "/v1/events", "");
    let long = site.look(&site.token(None), "/v1/events", "");
    next(&short, "event: status");
    ends(&short);
    next(&long, "event: status");
    drop(site.stop.take());
    ends(&long);
}

#[test]
fn a_stream_ends_soon_after_its_token_was_revoked() {
    let site = Site::start();
    let token = site.token(None);
    let seen = site.look(&token, "/v1/events", "");
    next(&seen, "event: status");
    site.store.revoke_token(Token::parse(&token).unwrap().id(), &by()).unwrap();
    ends(&seen);
}

#[track_caller]
fn ends(seen: &mpsc::Receiver<String>) {
    let until = Instant::now() + Duration::from_secs(90);
    loop {
        match seen.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(_) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("the stream goes on"),
        }
    }
}

#[test]
fn at_most_a_hundred_look_at_a_time() {
    let site = Site::start();
    let token = site.token(None);
    let viewers: Vec<_> = (0..100).map(|_| site.look(&token, "/v1/events", "")).collect();
    viewers.iter().for_each(|viewer| assert_eq!(next(viewer, "HTTP/1.1"), "HTTP/1.1 200 OK"));
    let one_more = site.look(&token, "/v1/events", "");
    assert_eq!(next(&one_more, "HTTP/1.1"), "HTTP/1.1 503 Service Unavailable");
}
