//! Signatures out: one record after the other, over connections that stay.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, ensure};

use super::{
    client::Connection,
    service::{Place, Service},
};
use crate::{
    figure::{Figure, Goal},
    lab::Lab,
};

/// How many signed records there are.
const RECORDS: u64 = 10_000;
/// How long they are read.
const READING: Duration = Duration::from_secs(10);
const CONNECTIONS: usize = 64;
/// Tokens that the connections share, because each has a limit of requests per second.
const TOKENS: usize = 32;

/// The figures of reading signatures.
pub fn read(lab: &Lab, repeat: u16) -> Result<Vec<Figure>> {
    let (mut rates, mut costs, mut p50, mut p99) = (vec![], vec![], vec![], vec![]);
    let place = Place::new(lab, 4)?;
    place.run(&["seed", "--records", &RECORDS.to_string()])?;
    place.run(&["sign"])?;
    let create = ["tokens", "create", "--name", "bench", "--scope", "read"];
    let tokens: Vec<_> = (0..TOKENS).map(|_| place.run(&create)).collect::<Result<_>>()?;
    for round in 1..=repeat {
        let service = place.serve(&["--roles", "emit"])?;
        let (times, cpu_seconds) = measure(&service, &tokens)?;
        let rate = times.len() as f64 / READING.as_secs_f64();
        log::info!("GET, round {round}: {rate:.0}/s from {CONNECTIONS} connections");
        rates.push(rate);
        costs.push(cpu_seconds * 1e6 / times.len() as f64);
        p50.push(percentile(&times, 50));
        p99.push(percentile(&times, 99));
    }
    Ok(vec![
        Figure::new("GET of a signature /s, 64 connections", Some(Goal::AtLeast(10_000.0)), rates),
        Figure::new("· CPU µs of the service per request", None, costs),
        Figure::new("· ms until the answer, p50", None, p50),
        Figure::new("· ms until the answer, p99", Some(Goal::AtMost(20.0)), p99),
    ])
}

/// How long each request took, in milliseconds, in order; and the processor time of the service for all of them.
fn measure(service: &Service, tokens: &[String]) -> Result<(Vec<f64>, f64)> {
    let (before, begun) = (service.cpu_seconds()?, Instant::now());
    let client = |number: usize| -> Result<Vec<f64>> {
        let (mut times, mut record) = (Vec::new(), number as u64);
        let mut connection = Connection::open(service.address)?;
        while begun.elapsed() < READING {
            record = (record + CONNECTIONS as u64) % RECORDS;
            let request = request(service.address, &tokens[number % tokens.len()], record + 1);
            let asked = Instant::now();
            let (status, body) = connection.send(&request)?;
            ensure!(status == 200, "status {status}: {}", String::from_utf8_lossy(body));
            times.push(asked.elapsed().as_secs_f64() * 1e3);
        }
        Ok(times)
    };
    let mut times = thread::scope(|scope| -> Result<Vec<f64>> {
        let client = &client;
        let clients: Vec<_> = (0..CONNECTIONS).map(|i| scope.spawn(move || client(i))).collect();
        let mut times = Vec::new();
        for client in clients {
            times.extend(client.join().map_err(|_| anyhow!("a client panicked"))??);
        }
        Ok(times)
    })?;
    times.sort_by(f64::total_cmp);
    Ok((times, service.cpu_seconds()? - before))
}

fn request(to: SocketAddr, token: &str, record: u64) -> Vec<u8> {
    format!(
        "GET /v1/records/{record}/signature HTTP/1.1\r\nHost: {to}\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
    .into_bytes()
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}
