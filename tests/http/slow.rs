//! Clients that are slow on purpose: each is cut off, and nobody else waits for them.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use support::{
    api::Api,
    random::count,
    sandbox::Sandbox,
    waiting::{timely, until},
};

fn connect(api: &Api) -> TcpStream {
    let stream = TcpStream::connect(api.url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// How long the service keeps the connection, and what it sends.
fn kept(mut stream: TcpStream) -> (Duration, String) {
    let (began, mut sent) = (Instant::now(), Vec::new());
    drop(stream.read_to_end(&mut sent)); // a reset ends it, too
    (began.elapsed(), String::from_utf8_lossy(&sent).into_owned())
}

const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn a_head_that_does_not_end_is_cut_off_be_it_the_first_or_a_later_one() {
    let sandbox = Sandbox::migrated();
    let api = Api::start(&sandbox, &[]);
    timely("all are cut off", Duration::from_secs(15), || unfinished(&api));
}

/// How long unfinished heads are waited for.
fn unfinished(api: &Api) -> Duration {
    let mut first = connect(api);
    first.write_all(b"GET /health/live HTTP/1.1\r\nHost: loc").unwrap();
    let mut second = connect(api);
    second.write_all(LIVE.as_bytes()).unwrap();
    let mut answer = [0; 12];
    second.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    second.write_all(b"GET /health/live HTTP/1.1\r\nHost: loc").unwrap();
    let mut silent = connect(api);
    silent.write_all(b"").unwrap();
    [first, second, silent].map(|stream| kept(stream).0).into_iter().max().unwrap()
}

#[test]
fn a_client_that_does_not_take_its_answer_is_cut_off_and_others_are_answered_meanwhile() {
    let sandbox = Sandbox::migrated();
    let api = Api::start(&sandbox, &[]);
    // The largest file of the reference, several times, so that it does not fit into the buffers of the sockets.
    let request = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(40);
    let mut deaf = connect(&api);
    deaf.write_all(request.as_bytes()).unwrap();
    until("it is connected", Duration::from_secs(10), || api.service.open_sockets() == 1);
    let (began, mut times) = (Instant::now(), Vec::new());
    until("the deaf client is cut off", Duration::from_secs(90), || {
        let asked = Instant::now();
        assert_eq!(api.get("/health/live", &[("connection", "close")]).status(), 200);
        times.push(asked.elapsed());
        api.service.open_sockets() == 0
    });
    assert!(began.elapsed() > Duration::from_secs(20), "a client may pause");
    times.sort();
    assert!(times[times.len() / 2] < Duration::from_secs(5), "others wait: {:?}", times[times.len() / 2]);
    let (_, sent) = kept(deaf);
    assert!(sent.len() < 12 * 1_000_000, "{}", sent.len());
}

/// The time that 99 of 100 requests of a client take at most.
fn p99(api: &Api) -> Duration {
    let mut times: Vec<_> = (0..200)
        .map(|_| {
            let asked = Instant::now();
            assert_eq!(api.get("/health/live", &[("connection", "close")]).status(), 200);
            asked.elapsed()
        })
        .collect();
    times.sort();
    times[197]
}

#[test]
fn crowds_of_slow_heads_bodies_and_readers_are_all_cut_off() {
    let crowd = count("TEST_SLOW_CLIENTS", 150);
    let sandbox = Sandbox::migrated();
    let api = Api::start(&sandbox, &[]);
    let token = sandbox.ok(&["tokens", "create", "--name", "slow", "--scope", "submit"]);
    let body = format!(
        "POST /v1/records HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n{{",
        token.trim()
    );
    let reader = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(40);
    let alone = p99(&api);
    let beginnings = ["GET /health/live HTTP/1.1\r\nHost: loc", &body, &reader];
    let crowds: Vec<_> = (0..crowd)
        .flat_map(|_| beginnings)
        .map(|beginning| {
            let mut stream = connect(&api);
            stream.write_all(beginning.as_bytes()).unwrap();
            stream
        })
        .collect();
    let beside = p99(&api);
    until("all are cut off", Duration::from_secs(90), || api.service.open_sockets() == 0);
    println!(
        "measured: {} slow clients; p99 of another: {alone:?} alone, {beside:?} beside them",
        crowds.len()
    );
}
