//! The dashboard: what its viewers cost, and that many records do not slow it down.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, ensure};
use signwave::config::Settings;

use super::{
    beside::Site,
    client::{Connection, get},
    service::{Place, Service},
};
use crate::{
    figure::{Figure, Goal},
    lab::{Lab, Signers},
};

const VIEWERS: usize = 100;
/// How often a page reads the history of its charts.
const HISTORY_EVERY: Duration = Duration::from_secs(10);
/// Records in the small database and in the large one, all of them signed.
const SMALL: u64 = 100_000;
const LARGE: u64 = 10_000_000;
/// How often all views are opened, one after the other.
const ROUNDS: usize = 300;

/// The figures of the dashboard.
pub fn dashboard(lab: &Lab, repeat: u16) -> Result<Vec<Figure>> {
    let mut figures = viewers(lab, repeat)?;
    figures.extend(views(lab, repeat)?);
    Ok(figures)
}

/// A service signs, and another one on the same database is looked at: then the processor time of the viewers is not
/// mixed with that of the signatures.
fn viewers(lab: &Lab, repeat: u16) -> Result<Vec<Figure>> {
    let (mut rates, mut shares) = (vec![], vec![]);
    for round in 1..=repeat {
        let site = Site::new(lab)?;
        let watched = site.place.serve(&["--roles", "emit"])?;
        let (before, idle) = site.rate_and_cost(&watched)?;
        let (rate, share) = looked_at(&watched, &site.token, || site.rate_and_cost(&watched))?;
        let (after, idle_again) = site.rate_and_cost(&watched)?;
        let (alone, idle) = ((before + after) / 2.0, (idle + idle_again) / 2.0);
        log::info!(
            "viewers, round {round}: {alone:.0}/s and {idle:.4} of a core without, {rate:.0}/s and {share:.4} with them"
        );
        rates.push(rate / alone);
        shares.push(share - idle);
    }
    Ok(vec![
        Figure::new("signing rate beside 100 viewers ÷ without", Some(Goal::AtLeast(0.99)), rates),
        Figure::new("· part of a core that the viewers cost", Some(Goal::AtMost(0.01)), shares),
    ])
}

/// Measures while viewers look at a service: each has a stream of events, and reads the history now and then.
fn looked_at<T>(service: &Service, token: &str, measure: impl FnOnce() -> Result<T>) -> Result<T> {
    let ends = &AtomicBool::new(false);
    let address = service.address;
    thread::scope(|scope| {
        let viewers: Vec<_> = (0..VIEWERS).map(|_| scope.spawn(move || look(address, token, ends))).collect();
        thread::sleep(Duration::from_secs(2));
        let measured = measure();
        ends.store(true, Relaxed);
        for viewer in viewers {
            viewer.join().map_err(|_| anyhow!("a viewer panicked"))??;
        }
        measured
    })
}

fn look(to: SocketAddr, token: &str, ends: &AtomicBool) -> Result<()> {
    let mut events = TcpStream::connect(to)?;
    events.write_all(&get(to, token, "/v1/events", ""))?;
    let mut requests = Connection::open(to)?;
    let (mut buffer, mut read_at) = ([0; 1 << 16], None::<Instant>);
    while !ends.load(Relaxed) {
        ensure!(events.read(&mut buffer)? > 0, "the stream of events ended");
        if read_at.is_none_or(|at| at.elapsed() > HISTORY_EVERY) {
            let (status, _) = requests.send(&get(to, token, "/v1/history?range=10m", ""))?;
            ensure!(status == 200, "status {status}");
            read_at = Some(Instant::now());
        }
    }
    Ok(())
}

/// The time of opening every view, in a large database ÷ in a small one.
fn views(lab: &Lab, repeat: u16) -> Result<Vec<Figure>> {
    let sites = [SMALL, LARGE].map(|records| -> Result<_> {
        let template = lab.template(records, 100, 2048)?;
        lab.sign_at(template.name(), &template, records, &Settings::default(), Signers::Noop)?;
        let place = Place::at(lab, template.name())?;
        let token = place.run(&["tokens", "create", "--name", "bench", "--scope", "read"])?;
        Ok((place.serve(&["--roles", "emit"])?, place, token, records))
    });
    let [small, large] = sites;
    let (small, large) = (small?, large?);
    let (mut ratios, mut times) = (vec![], vec![]);
    for round in 1..=repeat {
        let [before, at_large, after] = [&small, &large, &small]
            .map(|(service, place, token, records)| open_views(service, place, token, *records));
        let (at_small, at_large) = ((before? + after?) / 2.0, at_large?);
        log::info!(
            "views, round {round}: {at_small:.2} ms for all at {SMALL} records, {at_large:.2} ms at {LARGE}"
        );
        ratios.push(at_large / at_small);
        times.push(at_large);
    }
    Ok(vec![
        Figure::new(
            "ms until all views have their data, 10,000,000 signed records ÷ 100,000",
            Some(Goal::AtMost(1.2)),
            ratios,
        ),
        Figure::new("· ms at 10,000,000", None, times),
    ])
}

/// The median time, in milliseconds, in which the data of all views are there. The status is read from the database,
/// because the service reads it once a second, for all viewers.
fn open_views(service: &Service, place: &Place, token: &str, records: u64) -> Result<f64> {
    let middle = records / 2;
    let paths = [
        "/v1/history?range=10m".to_owned(),
        "/v1/batches?limit=50".to_owned(),
        "/v1/batches?state=signed&limit=50".to_owned(),
        "/v1/batches?state=open&limit=50".to_owned(),
        "/v1/batches/7".to_owned(),
        "/v1/keys?limit=100".to_owned(),
        "/v1/nodes".to_owned(),
        format!("/v1/records/{middle}"),
        format!("/v1/records/{middle}/history"),
        "/v1/records?external_id=none".to_owned(),
    ];
    let mut connection = Connection::open(service.address)?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        ensure!(place.signed()? == records, "all is signed");
        for path in &paths {
            let (status, body) = connection.send(&get(service.address, token, path, ""))?;
            let is_expected = status == 200 || path.contains("external_id") && status == 404;
            ensure!(is_expected, "{path}: status {status}, {}", String::from_utf8_lossy(body));
        }
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
