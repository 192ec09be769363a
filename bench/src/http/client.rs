//! Clients: one request after the other on connections that stay, and bodies that never end.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};

use super::service::Service;

/// A connection that stays.
pub struct Connection {
    stream: BufReader<TcpStream>,
    line: String,
    body: Vec<u8>,
    /// Whether the service closes it after its last answer.
    ends: bool,
}

impl Connection {
    /// Connects.
    pub fn open(to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), line: String::new(), body: Vec::new(), ends: false })
    }

    /// Sends a request, whose head and body are one text, and returns the status and the body of the answer.
    pub fn send(&mut self, request: &[u8]) -> Result<(u16, &[u8])> {
        self.stream.get_mut().write_all(request)?;
        let (status, length) = self.head()?;
        self.body.resize(length.context("the answer has a length")?, 0);
        self.stream.read_exact(&mut self.body)?;
        Ok((status, &self.body))
    }

    /// Connects again, if the service has closed the connection after its last answer.
    pub fn renew(&mut self, to: SocketAddr) -> Result<()> {
        if self.ends {
            *self = Self::open(to)?;
        }
        Ok(())
    }

    /// The status of the next answer, and the length of its body if it has one.
    fn head(&mut self) -> Result<(u16, Option<usize>)> {
        let (mut status, mut length) = (None, None);
        loop {
            self.line.clear();
            ensure!(self.stream.read_line(&mut self.line)? > 0, "the connection was closed");
            let line = self.line.trim_end();
            match (status, line.split_once(':')) {
                (None, _) => status = Some(line.split(' ').nth(1).context("no status")?.parse()?),
                (Some(status), None) => return Ok((status, length)),
                (_, Some((name, value))) if name.eq_ignore_ascii_case("content-length") => {
                    length = Some(value.trim().parse()?);
                }
                (_, Some((name, value))) if name.eq_ignore_ascii_case("connection") => {
                    self.ends = value.trim().eq_ignore_ascii_case("close");
                }
                _ => {}
            }
        }
    }

    /// Sends a body in chunks, before anything is read, and returns the status and the last line of the answer.
    pub fn stream(mut self, head: &str, chunks: impl Iterator<Item = String>) -> Result<(u16, String)> {
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes())?;
        for chunk in chunks {
            write!(stream, "{:x}\r\n{chunk}\r\n", chunk.len())?;
        }
        stream.write_all(b"0\r\n\r\n")?;
        let (status, _) = self.head()?;
        let mut rest = String::new();
        self.stream.read_to_string(&mut rest)?;
        let last = rest.lines().rfind(|line| line.starts_with('{')).unwrap_or_default();
        Ok((status, last.to_owned()))
    }
}

/// A request to read, with this token, and with more lines of its head.
pub fn get(to: SocketAddr, token: &str, path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {to}\r\nAuthorization: Bearer {token}\r\n{headers}\r\n")
        .into_bytes()
}

/// What a number of connections have measured.
pub struct Measured {
    /// How long each request took, in milliseconds, in order. Those that were refused are left out.
    pub times: Vec<f64>,
    /// How many requests were refused.
    pub refused: usize,
    /// The processor time of the service for all of them.
    pub cpu_seconds: f64,
}

impl Measured {
    /// Sends as many requests as possible for `time` from so many connections. `request` makes the next request of a
    /// connection. Each answer must have the status `wanted`.
    pub fn of(
        service: &Service,
        connections: usize,
        time: Duration,
        wanted: u16,
        request: impl Fn(usize) -> Vec<u8> + Sync,
    ) -> Result<Self> {
        Self::with_refusals(&[], service, connections, time, wanted, request)
    }

    /// The same, where an answer may also have one of the statuses `refusals`.
    pub fn with_refusals(
        refusals: &[u16],
        service: &Service,
        connections: usize,
        time: Duration,
        wanted: u16,
        request: impl Fn(usize) -> Vec<u8> + Sync,
    ) -> Result<Self> {
        let (before, begun) = (service.cpu_seconds()?, Instant::now());
        let client = |number: usize| -> Result<(Vec<f64>, usize)> {
            let (mut times, mut refused) = (Vec::new(), 0);
            let mut connection = Connection::open(service.address)?;
            while begun.elapsed() < time {
                let request = request(number);
                let asked = Instant::now();
                let (status, body) = connection.send(&request)?;
                if refusals.contains(&status) {
                    refused += 1;
                } else {
                    ensure!(status == wanted, "status {status}: {}", String::from_utf8_lossy(body));
                    times.push(asked.elapsed().as_secs_f64() * 1e3);
                }
                connection.renew(service.address)?;
            }
            Ok((times, refused))
        };
        let (mut times, refused) = thread::scope(|scope| -> Result<(Vec<f64>, usize)> {
            let client = &client;
            let clients: Vec<_> = (0..connections).map(|i| scope.spawn(move || client(i))).collect();
            let (mut times, mut refused) = (Vec::new(), 0);
            for client in clients {
                let (more, others) = client.join().map_err(|_| anyhow!("a client panicked"))??;
                times.extend(more);
                refused += others;
            }
            Ok((times, refused))
        })?;
        times.sort_by(f64::total_cmp);
        Ok(Self { times, refused, cpu_seconds: service.cpu_seconds()? - before })
    }

    /// CPU microseconds of the service per request.
    pub fn cpu_micros(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.times.len() as f64
    }
}

/// The time that so many percent of the requests took at most.
pub fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}
