//! Records in: single ones, in bulk, and until they are signed.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use signwave::config::Settings;

use super::{
    client::{Connection, Measured, percentile},
    service::{Place, Service},
};
use crate::{
    figure::{Figure, Goal},
    lab::{Lab, Template},
};

/// Bytes in each payload.
const PAYLOAD: usize = 256;
/// How long single records are sent.
const SENDING: Duration = Duration::from_secs(10);
/// Records that are sent one after the other to an idle service.
const SAMPLES: usize = 1000;
/// Tokens that the connections share, because each has a limit of requests per second.
const TOKENS: usize = 16;

/// The figures of submitting.
pub fn submit(lab: &Lab, template: &Template, repeat: u16) -> Result<Vec<Figure>> {
    let mut figures = single(lab, repeat)?;
    figures.extend(bulk(lab, template.records, repeat)?);
    figures.extend(wait(lab)?);
    figures.extend(until_signed(lab, template, repeat)?);
    Ok(figures)
}

/// One record each: from 64 connections, and from one.
fn single(lab: &Lab, repeat: u16) -> Result<Vec<Figure>> {
    let (mut rates, mut ratios, mut costs, mut p50, mut p99) = (vec![], vec![], vec![], vec![], vec![]);
    for round in 1..=repeat {
        let place = Place::new(lab, 1)?;
        let service = place.serve(&["--roles", "emit"])?;
        let next = requests(&place, service.address)?;
        let send = |connections| Measured::of(&service, connections, SENDING, 201, &next);
        let (one, many) = (send(1)?, send(64)?);
        let rate = many.times.len() as f64 / SENDING.as_secs_f64();
        let ratio = rate / (one.times.len() as f64 / SENDING.as_secs_f64());
        log::info!("POST, round {round}: {rate:.0}/s from 64 connections, {ratio:.1} times that of one");
        rates.push(rate);
        ratios.push(ratio);
        costs.push(many.cpu_micros());
        p50.push(percentile(&many.times, 50));
        p99.push(percentile(&many.times, 99));
    }
    let goal = |least| (!lab.scratch.is_server()).then_some(Goal::AtLeast(least));
    Ok(vec![
        Figure::new("POST of one record each /s, 64 connections", goal(5000.0), rates),
        Figure::new("· ÷ one connection", goal(10.0), ratios),
        Figure::new("· CPU µs of the service per request", None, costs),
        Figure::new("· ms until the answer, p50", None, p50),
        Figure::new("· ms until the answer, p99", None, p99),
    ])
}

/// Makes the requests of any number of connections, each with another record.
pub(super) fn requests(place: &Place, to: SocketAddr) -> Result<impl Fn(usize) -> Vec<u8> + Sync + use<>> {
    let tokens: Vec<String> = (0..TOKENS).map(|_| place.token()).collect::<Result<_>>()?;
    let sent = AtomicU64::new(0);
    Ok(move |connection: usize| request(to, &tokens[connection % TOKENS], sent.fetch_add(1, Relaxed), ""))
}

pub(super) fn request(to: SocketAddr, token: &str, number: u64, headers: &str) -> Vec<u8> {
    let body = record(number);
    let head = format!(
        "POST /v1/records HTTP/1.1\r\nHost: {to}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

pub(super) fn record(number: u64) -> String {
    format!("{{\"external_id\":\"bench-{number}\",\"payload\":\"{number:0PAYLOAD$}\"}}")
}

/// Any number of records in one request, and the memory that takes.
fn bulk(lab: &Lab, records: u64, repeat: u16) -> Result<Vec<Figure>> {
    let (mut rates, mut costs, mut peaks, mut ratios) = (vec![], vec![], vec![], vec![]);
    for round in 1..=repeat {
        let measure = |records| -> Result<(f64, f64, f64)> {
            let place = Place::new(lab, 1)?;
            let (token, service) = (place.token()?, place.serve(&["--roles", "emit"])?);
            let (before, seconds) = (service.cpu_seconds()?, send_bulk(&service, &token, records)?);
            Ok((seconds, service.cpu_seconds()? - before, service.peak_mib()?))
        };
        let (_, _, small) = measure(records)?;
        let (seconds, cpu, large) = measure(records * 10)?;
        let rate = (records * 10) as f64 / seconds;
        log::info!("bulk, round {round}: {rate:.0} records/s, peak {small:.1} and {large:.1} MiB");
        rates.push(rate);
        costs.push(cpu * 1e6 / (records * 10) as f64);
        peaks.push(large);
        ratios.push(large / small);
    }
    let goal = if lab.scratch.is_server() { 80_000.0 } else { 100_000.0 };
    Ok(vec![
        Figure::new("bulk records/s", Some(Goal::AtLeast(goal)), rates),
        Figure::new("· CPU µs of the service per record", None, costs),
        Figure::new("· peak memory in MiB", None, peaks),
        Figure::new("· ÷ peak at a tenth of the records", Some(Goal::AtMost(1.1)), ratios),
    ])
}

/// The head of a request in bulk.
pub(super) fn bulk_head(to: SocketAddr, token: &str) -> String {
    format!(
        "POST /v1/records/bulk HTTP/1.1\r\nHost: {to}\r\nAuthorization: Bearer {token}\r\nContent-Type: \
         application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
}

/// Sends so many records in one request, and returns how many seconds that took.
fn send_bulk(service: &Service, token: &str, records: u64) -> Result<f64> {
    let head = bulk_head(service.address, token);
    let chunks = (0..records).step_by(200).map(|first| {
        (first..records.min(first + 200)).map(|number| record(number) + "\n").collect::<String>()
    });
    let (connection, begun) = (Connection::open(service.address)?, Instant::now());
    let (status, last) = connection.stream(&head, chunks)?;
    let seconds = begun.elapsed().as_secs_f64();
    let is_done =
        last.starts_with("{\"done\":true,\"ok\":true") && last.contains(&format!("\"inserted\":{records},"));
    ensure!(status == 200 && is_done, "status {status}, last line {last}");
    Ok(seconds)
}

/// The time from a request to its signature, while the service is idle otherwise.
fn wait(lab: &Lab) -> Result<Vec<Figure>> {
    let place = Place::new(lab, 4)?;
    let (token, service) = (place.token()?, place.serve(&[])?);
    let mut connection = Connection::open(service.address)?;
    let mut times = Vec::new();
    for number in 0..SAMPLES as u64 + 20 {
        thread::sleep(Duration::from_millis(5));
        let request = request(service.address, &token, number, "Prefer: wait=30\r\n");
        let asked = Instant::now();
        let (status, body) = connection.send(&request)?;
        let body = std::str::from_utf8(body).context("the answer is text")?;
        ensure!(status == 201 && body.contains("\"signature\""), "status {status}: {body}");
        times.push(asked.elapsed().as_secs_f64() * 1e3);
    }
    // The first ones wait until every key is opened.
    let mut times = times.split_off(20);
    times.sort_by(f64::total_cmp);
    Ok(vec![
        Figure::new("ms of submit and wait, p50", Some(Goal::AtMost(8.0)), vec![percentile(&times, 50)]),
        Figure::new("· p99", Some(Goal::AtMost(25.0)), vec![percentile(&times, 99)]),
    ])
}

/// The rate at which records that are sent in bulk are signed ÷ the raw signing rate.
fn until_signed(lab: &Lab, template: &Template, repeat: u16) -> Result<Vec<Figure>> {
    let (mut rates, mut ratios) = (vec![], vec![]);
    for round in 1..=repeat {
        let place = Place::new(lab, 100)?;
        let (token, engine) = (place.token()?, lab.engine.to_string());
        let service = place.serve(&["--signer", &engine])?;
        let mut raw = lab.raw_speed(template, &Settings::default(), lab.engine)?;
        raw.measure(SLICE)?;
        let begun = Instant::now();
        send_bulk(&service, &token, template.records)?;
        place.until(template.records, |status| status.signed)?;
        let rate = template.records as f64 / begun.elapsed().as_secs_f64();
        raw.measure(SLICE)?;
        log::info!("bulk until signed, round {round}: {rate:.0}/s of raw {:.0}/s", raw.per_second());
        rates.push(rate);
        ratios.push(rate / raw.per_second());
    }
    Ok(vec![
        Figure::new("records/s in bulk until all are signed", None, rates),
        Figure::new("· ÷ raw", Some(Goal::AtLeast(0.93)), ratios),
    ])
}

/// How long a raw rate is measured before and after.
const SLICE: Duration = Duration::from_secs(4);
