//! The signing rate while the API is at work: beside clients that read, submit and look, and beside idle connections.

use std::{
    io::Read,
    net::TcpStream,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use rustix::process::{Resource, getrlimit, setrlimit};

use super::{
    client::{Connection, get},
    read,
    service::{Place, Service},
    submit,
};
use crate::{
    figure::{Figure, Goal},
    lab::Lab,
};

/// Records that wait at the beginning: more than can be signed while the rate is measured.
const WAITING: u64 = 700_000;
/// How long a rate is measured.
const WINDOW: Duration = Duration::from_secs(15);
/// Connections that send one request and then nothing.
const IDLE: usize = 10_000;

/// The figures of signing beside the API.
pub fn beside(lab: &Lab, repeat: u16) -> Result<Vec<Figure>> {
    let (mut at_work, mut idle, mut memory) = (vec![], vec![], vec![]);
    for round in 1..=repeat {
        let site = Site::new(lab)?;
        let alone = site.rate()?;
        let with_clients = site.rate_under_load()?;
        let (connections, kib) = site.connect()?;
        let with_connections = site.rate()?;
        drop(connections);
        let again = site.rate()?;
        let alone = (alone + again) / 2.0;
        log::info!(
            "beside, round {round}: {alone:.0}/s alone, {with_clients:.0}/s beside clients, {with_connections:.0}/s \
             beside idle connections"
        );
        at_work.push(with_clients / alone);
        idle.push(with_connections / alone);
        memory.push(kib);
    }
    Ok(vec![
        Figure::new("signing rate beside clients of the API ÷ alone", Some(Goal::AtLeast(0.95)), at_work),
        Figure::new("signing rate beside 10,000 idle connections ÷ alone", Some(Goal::AtLeast(0.98)), idle),
        Figure::new("· KiB of each idle connection", Some(Goal::AtMost(20.0)), memory),
    ])
}

/// A service that signs, and has enough to do.
pub(super) struct Site {
    pub(super) place: Place,
    service: Service,
    pub(super) token: String,
    /// Records that were sent so far.
    sent: AtomicU64,
}

impl Site {
    pub(super) fn new(lab: &Lab) -> Result<Self> {
        let place = Place::new(lab, 100)?;
        place.run(&["seed", "--records", &WAITING.to_string()])?;
        let token = place.run(&["tokens", "create", "--name", "bench", "--scope", "read,submit"])?;
        let service = place.serve(&["--signer", &lab.engine.to_string()])?;
        while place.signed()? == 0 {
            thread::sleep(Duration::from_millis(20));
        }
        thread::sleep(Duration::from_secs(1)); // until every key is opened
        Ok(Self { place, service, token, sent: AtomicU64::new(0) })
    }

    /// Records that are signed per second.
    fn rate(&self) -> Result<f64> {
        let (before, begun) = (self.place.signed()?, Instant::now());
        thread::sleep(WINDOW);
        let (after, seconds) = (self.place.signed()?, begun.elapsed().as_secs_f64());
        ensure!(after < WAITING, "everything is signed: this CPU is too fast for so few records");
        Ok((after - before) as f64 / seconds)
    }

    /// Records that are signed per second, and the part of a core that another service takes in that time.
    pub(super) fn rate_and_cost(&self, other: &Service) -> Result<(f64, f64)> {
        let (before, begun) = (other.cpu_seconds()?, Instant::now());
        let rate = self.rate()?;
        Ok((rate, (other.cpu_seconds()? - before) / begun.elapsed().as_secs_f64()))
    }

    /// The same while 300 signatures a second are read, 100 records are sent one by one and 1,000 in bulk, five
    /// viewers look, and Prometheus scrapes.
    fn rate_under_load(&self) -> Result<f64> {
        let ends = &AtomicBool::new(false);
        thread::scope(|scope| {
            let mut clients = Vec::new();
            for _ in 0..3 {
                clients.push(
                    scope.spawn(move || self.each(Duration::from_millis(10), ends, || self.signature())),
                );
            }
            clients.push(scope.spawn(move || self.each(Duration::from_millis(10), ends, || self.post())));
            clients.push(scope.spawn(move || self.bulk(ends)));
            clients
                .push(scope.spawn(move || self.each(Duration::from_secs(5), ends, || self.get("/metrics"))));
            for _ in 0..5 {
                clients.push(scope.spawn(move || self.look(ends)));
            }
            let rate = self.rate();
            ends.store(true, Relaxed);
            for client in clients {
                client.join().map_err(|_| anyhow!("a client panicked"))??;
            }
            rate
        })
    }

    /// Sends a request at each interval, on a connection that stays.
    fn each(&self, interval: Duration, ends: &AtomicBool, request: impl Fn() -> Vec<u8>) -> Result<()> {
        let (mut connection, mut at) = (Connection::open(self.service.address)?, Instant::now());
        while !ends.load(Relaxed) {
            let (status, body) = connection.send(&request())?;
            ensure!((200..300).contains(&status), "status {status}: {}", String::from_utf8_lossy(body));
            at += interval;
            thread::sleep(at.saturating_duration_since(Instant::now()));
        }
        Ok(())
    }

    fn signature(&self) -> Vec<u8> {
        read::request(self.service.address, &self.token, self.sent.fetch_add(1, Relaxed) % 1000 + 1)
    }

    fn post(&self) -> Vec<u8> {
        submit::request(self.service.address, &self.token, self.sent.fetch_add(1, Relaxed), "")
    }

    fn get(&self, path: &str) -> Vec<u8> {
        get(self.service.address, &self.token, path, "")
    }

    /// Sends 100 lines ten times a second, in one request.
    fn bulk(&self, ends: &AtomicBool) -> Result<()> {
        let chunks = std::iter::from_fn(|| {
            thread::sleep(Duration::from_millis(100));
            let first = self.sent.fetch_add(100, Relaxed);
            let line = |number| submit::record(number) + "\n";
            (!ends.load(Relaxed)).then(|| (first..first + 100).map(line).collect::<String>())
        });
        let head = submit::bulk_head(self.service.address, &self.token);
        let (status, last) = Connection::open(self.service.address)?.stream(&head, chunks)?;
        ensure!(status == 200 && last.starts_with("{\"done\":true,\"ok\":true"), "status {status}, {last}");
        Ok(())
    }

    /// Reads events.
    fn look(&self, ends: &AtomicBool) -> Result<()> {
        let mut stream = TcpStream::connect(self.service.address)?;
        std::io::Write::write_all(&mut stream, &self.get("/v1/events"))?;
        let mut buffer = [0; 1 << 16];
        while !ends.load(Relaxed) {
            ensure!(stream.read(&mut buffer)? > 0, "the stream of events ended");
        }
        Ok(())
    }

    /// Connections that have sent one request, and how much memory each costs the service in KiB.
    fn connect(&self) -> Result<(Vec<Connection>, f64)> {
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit).context("cannot raise the limit of open files")?;
        let before = self.service.resident_kib()?;
        let connect = |_| -> Result<Connection> {
            let mut connection = Connection::open(self.service.address)?;
            let (status, _) = connection.send(&self.get("/health/live"))?;
            ensure!(status == 200, "status {status}");
            Ok(connection)
        };
        let connections = (0..IDLE).map(connect).collect::<Result<Vec<_>>>()?;
        Ok((connections, (self.service.resident_kib()? - before) / IDLE as f64))
    }
}
