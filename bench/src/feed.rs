//! The feed: what its positions cost, how soon a signature can be read, and how fast all of them.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use diesel::{Connection as _, PgConnection, connection::SimpleConnection as _};
use signwave::{
    actors::{Mode, Parts},
    config::Settings,
    store::{self, DatabaseUrl},
};

use crate::{
    figure::{Figure, Goal},
    http::{Place, get, percentile},
    lab::{Lab, Signers, Template, drain, sign_one},
};

/// Nodes that sign one database.
const NODES: usize = 3;

/// A role that may do all that a node does, except for giving positions.
const ROLE: &str = "signwave_bench_without_feed";

/// Bytes that a row has at least.
const LEAST: u64 = 500;

/// How many times are measured.
const SAMPLES: usize = 300;

/// Three nodes whose batches get positions ÷ three nodes that may not give any. PostgreSQL only: on SQLite, the commit
/// gives them.
pub fn numbering(lab: &Lab, template: &Template, repeat: u16) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (batch_size, least) in [(1000, 0.99), (10, 0.97)] {
        let settings = Settings { batch_size, ..Settings::default() };
        let mut ratios = Vec::new();
        for round in 1..=repeat {
            let without = || three_nodes(lab, template, &settings, Some(ROLE));
            let before = without()?;
            let with = three_nodes(lab, template, &settings, None)?;
            let ratio = (before + without()?) / 2.0 / with;
            log::info!("positions, batch {batch_size}, round {round}: {ratio:.3} of the rate without");
            ratios.push(ratio);
        }
        let name = format!("three nodes that give positions ÷ nodes that do not, batch {batch_size}");
        figures.push(Figure::new(name, Some(Goal::AtLeast(least)), ratios));
    }
    Ok(figures)
}

/// How long three nodes take to sign all records of a copy of `template`, in seconds. Each has anchors beside those that are
/// named.
pub fn three_nodes(lab: &Lab, template: &Template, settings: &Settings, role: Option<&str>) -> Result<f64> {
    let name = lab.copy(template)?;
    let DatabaseUrl::Postgres(mut url) = lab.scratch.url(&name)? else {
        bail!("positions are measured on a server")
    };
    if let Some(role) = role {
        PgConnection::establish(&url)?.batch_execute(&format!(
            "DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object THEN NULL; END $$; \
             GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}; \
             REVOKE INSERT ON feed FROM {role}"
        ))?;
        let separator = if url.contains('?') { '&' } else { '?' };
        url.push_str(&format!("{separator}options=-crole%3D{role}"));
    }
    let (url, begun) = (DatabaseUrl::Postgres(url), Instant::now());
    thread::scope(|scope| {
        let sign = |node: usize| {
            let anchor: Vec<_> =
                settings.anchor.iter().map(|file| PathBuf::from(format!("{file}.{node}")).into()).collect();
            let settings =
                Settings { node_name: format!("bench-{node}"), anchor: anchor.clone(), ..settings.clone() };
            let parts = Parts::new(settings, template.opener(Signers::Real), Mode::Drain);
            drain(parts, &store::open_with(&url, store::CONNECTIONS, &anchor)?)
        };
        let nodes: Vec<_> = (0..NODES).map(|node| scope.spawn(move || sign(node))).collect();
        nodes.into_iter().try_for_each(|node| node.join().map_err(|_| anyhow!("a node panicked"))?)
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    let store = lab.open(&name)?;
    ensure!(store.counts()?.signatures == template.records, "not every record was signed");
    ensure!(store.unsequenced()?.is_empty() == role.is_none(), "the batches have positions, or should have");
    drop(store);
    lab.scratch.remove(&name)?;
    Ok(seconds)
}

/// The time from the commit of a batch until a client that waits has it, while the service is idle otherwise.
pub fn readable(lab: &Lab) -> Result<Vec<Figure>> {
    let place = Place::new(lab, 4)?;
    let token = place.run(&["tokens", "create", "--name", "bench", "--scope", "read"])?;
    let service = place.serve(&[])?;
    let (mut times, mut after) = (Vec::with_capacity(SAMPLES), "0".to_owned());
    // The first ones wait until every key is opened.
    for number in 0..SAMPLES + 20 {
        let path = format!("/v1/signatures?after={after}&limit=1&wait=30s");
        let waiting = connect(service.address, &token, &path)?;
        thread::sleep(Duration::from_millis(10));
        let (committed, (read, row)) = thread::scope(|scope| -> Result<_> {
            let reader = scope.spawn(|| {
                let mut answer = String::new();
                let read = (&waiting).read_to_string(&mut answer);
                read.map(|_| (Instant::now(), answer))
            });
            let (_, committed) = sign_one(place.store())?;
            Ok((committed, reader.join().map_err(|_| anyhow!("the reader panicked"))??))
        })?;
        let position = row.split_once("\"position\":\"").and_then(|(_, rest)| rest.split_once('"'));
        after = position.with_context(|| format!("no position in {row}"))?.0.to_owned();
        if number >= 20 {
            times.push(read.saturating_duration_since(committed).as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(vec![
        Figure::new("ms from commit to client, p50", Some(Goal::AtMost(10.0)), vec![percentile(&times, 50)]),
        Figure::new("· p99", Some(Goal::AtMost(50.0)), vec![percentile(&times, 99)]),
        Figure::new("· all", None, times),
    ])
}

/// All rows of the feed, by the command and by the API ÷ a SELECT of the same rows by the database's own client.
pub fn reading(lab: &Lab, template: &Template, repeat: u16) -> Result<Vec<Figure>> {
    let name = lab.copy(template)?;
    lab.sign_at(&name, template, template.records, &Settings::default(), Signers::Noop)?;
    let place = Place::at(lab, &name)?;
    let token = place.run(&["tokens", "create", "--name", "bench", "--scope", "read"])?;
    let service = place.serve(&["--roles", "emit"])?;
    let (mut rates, mut exports, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=repeat {
        let before = seconds(|| select(&lab.scratch.url(&name)?))?;
        let export = seconds(|| place.discard(&["export", "--after", "0"]))?;
        let answer = seconds(|| {
            let mut answer = connect(service.address, &token, "/v1/signatures?after=0")?;
            ensure!(
                io::copy(&mut answer, &mut io::sink())? > template.records * LEAST,
                "the answer is short"
            );
            Ok(())
        })?;
        let reference = (before + seconds(|| select(&lab.scratch.url(&name)?))?) / 2.0;
        let per_second = |seconds| template.records as f64 / seconds;
        log::info!(
            "feed, round {round}: export {:.0} rows/s, API {:.0}, SELECT {:.0}",
            per_second(export),
            per_second(answer),
            per_second(reference)
        );
        rates.push(per_second(export));
        exports.push(reference / export);
        answers.push(reference / answer);
    }
    Ok(vec![
        Figure::new("rows/s of export --after", None, rates),
        Figure::new("· ÷ a SELECT of the same rows", Some(Goal::AtLeast(0.8)), exports),
        Figure::new(
            "GET /v1/signatures?after= ÷ a SELECT of the same rows",
            Some(Goal::AtLeast(0.8)),
            answers,
        ),
    ])
}

/// Sends a request. Its answer ends with the connection.
fn connect(to: SocketAddr, token: &str, path: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(to)?;
    stream.write_all(&get(to, token, path, "Connection: close\r\n"))?;
    Ok(stream)
}

fn seconds(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed().as_secs_f64())
}

/// Reads all rows with the client of the database, signatures as text, and throws them away.
fn select(url: &DatabaseUrl) -> Result<()> {
    let select = |signature: &str| {
        format!(
            "SELECT record_id, external_id, fingerprint, scheme, signed_at, {signature}, position FROM signed_record"
        )
    };
    let mut client = match url {
        DatabaseUrl::Sqlite(path) => {
            let mut client = Command::new("sqlite3");
            client.arg("-readonly").arg(path).arg(select("hex(signature)")); // it knows no base64
            client
        }
        DatabaseUrl::Postgres(url) => {
            let mut client = Command::new("psql");
            let rows = select("encode(signature, 'base64')");
            client.args(["-X", "-q", "-A", "-t", "--set=FETCH_COUNT=10000", "-c", &rows, url]);
            client
        }
    };
    ensure!(client.stdout(Stdio::null()).status()?.success(), "the client of the database failed");
    Ok(())
}
