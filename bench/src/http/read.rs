//! Signatures out: one record after the other, over connections that stay.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use anyhow::Result;

use super::{
    client::{Measured, get, percentile},
    service::Place,
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
        let next = AtomicU64::new(0);
        let got = Measured::of(&service, CONNECTIONS, READING, 200, |connection| {
            let record = next.fetch_add(1, Relaxed) % RECORDS + 1;
            request(service.address, &tokens[connection % tokens.len()], record)
        })?;
        let rate = got.times.len() as f64 / READING.as_secs_f64();
        log::info!("GET, round {round}: {rate:.0}/s from {CONNECTIONS} connections");
        rates.push(rate);
        costs.push(got.cpu_micros());
        p50.push(percentile(&got.times, 50));
        p99.push(percentile(&got.times, 99));
    }
    Ok(vec![
        Figure::new("GET of a signature /s, 64 connections", Some(Goal::AtLeast(10_000.0)), rates),
        Figure::new("· CPU µs of the service per request", None, costs),
        Figure::new("· ms until the answer, p50", None, p50),
        Figure::new("· ms until the answer, p99", Some(Goal::AtMost(20.0)), p99),
    ])
}

/// A request for the signature of a record.
pub(super) fn request(to: SocketAddr, token: &str, record: u64) -> Vec<u8> {
    get(to, token, &format!("/v1/records/{record}/signature"), "")
}
