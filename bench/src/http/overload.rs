//! Overload: four times as many clients as use up the service. One that is refused sends its next request at once.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, bail};

use super::{
    client::{Connection, Measured, percentile},
    service::Place,
    submit::request,
};
use crate::{
    figure::{Figure, Goal},
    lab::Lab,
};

/// Connections that use up the service.
const CONNECTIONS: usize = 64;
/// Connections that overload it.
const TOO_MANY: usize = 4 * CONNECTIONS;
/// Tokens that the connections share, because each has a limit of requests per second.
const TOKENS: usize = 64;
/// How long the rate of [`CONNECTIONS`] is measured, before and after.
const CAPACITY: Duration = Duration::from_secs(10);
const OVERLOAD: Duration = Duration::from_secs(60);
/// How soon after the end the service must be as it was before, and how long a single connection looks whether it is.
const SOON: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_secs(2);

/// The figures of an overload by records that are sent one by one.
pub fn overload(lab: &Lab, repeat: u16) -> Result<Vec<Figure>> {
    let (mut goodput, mut refused, mut memory, mut after) = (vec![], vec![], vec![], vec![]);
    for round in 1..=repeat {
        let place = Place::new(lab, 1)?;
        let tokens: Vec<_> = (0..TOKENS).map(|_| place.token()).collect::<Result<_>>()?;
        let (service, sent) = (place.serve(&["--roles", "emit"])?, AtomicU64::new(0));
        let next = |client: usize| {
            request(service.address, &tokens[client % TOKENS], sent.fetch_add(1, Relaxed), "")
        };
        let capacity = || Measured::of(&service, CONNECTIONS, CAPACITY, 201, next);
        let alone = || Measured::of(&service, 1, LOOK, 201, next);
        let (before, idle, resident) = (capacity()?, alone()?, service.resident_kib()? / 1024.0);
        let (stored, others) = press(service.address, &next)?;
        let peak = service.peak_mib()?;
        thread::sleep(SOON);
        let (idle_again, again) = (alone()?, capacity()?);
        let [before, again] =
            [before, again].map(|measured| measured.times.len() as f64 / CAPACITY.as_secs_f64());
        let (capacity, rate) = ((before + again) / 2.0, stored as f64 / OVERLOAD.as_secs_f64());
        log::info!(
            "overload, round {round}: {rate:.0}/s stored of {before:.0}/s before and {again:.0}/s after, {others} refused"
        );
        goodput.push(rate / capacity);
        refused.push(others as f64 / (stored + others) as f64);
        memory.push(peak - resident);
        after.push(percentile(&idle_again.times, 50) / percentile(&idle.times, 50));
    }
    let name = format!("{TOO_MANY} connections: records stored ÷ those of {CONNECTIONS}");
    Ok(vec![
        Figure::new(name, Some(Goal::AtLeast(0.9)), goodput),
        Figure::new("· part of the requests that is refused", None, refused),
        Figure::new("· MiB more at the peak", Some(Goal::AtMost(64.0)), memory),
        Figure::new("· ms of one request, 1 s after the end ÷ before", Some(Goal::AtMost(1.2)), after),
    ])
}

/// Sends as many requests as possible, and returns how many were stored and how many were refused.
fn press(to: SocketAddr, next: &(impl Fn(usize) -> Vec<u8> + Sync)) -> Result<(u64, u64)> {
    let begun = Instant::now();
    let client = |number| -> Result<(u64, u64)> {
        let (mut connection, mut stored, mut refused) = (Connection::open(to)?, 0, 0);
        while begun.elapsed() < OVERLOAD {
            match connection.send(&next(number))? {
                (201, _) => stored += 1,
                (429 | 503, _) => refused += 1,
                (status, body) => bail!("status {status}: {}", String::from_utf8_lossy(body)),
            }
            connection.renew(to)?;
        }
        Ok((stored, refused))
    };
    thread::scope(|scope| {
        let client = &client;
        let clients: Vec<_> = (0..TOO_MANY).map(|number| scope.spawn(move || client(number))).collect();
        clients.into_iter().try_fold((0, 0), |(stored, refused), client| {
            let (more, others) = client.join().map_err(|_| anyhow!("a client panicked"))??;
            Ok((stored + more, refused + others))
        })
    })
}
