//! The suites for a database server: several nodes, notifications, and many signed records.

use std::{
    process::{Child, Command},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, bail, ensure};
use diesel::{Connection as _, PgConnection, connection::SimpleConnection as _};
use signwave::{
    actors::{self, Mode, Parts, Stop},
    config::{Roles, Settings},
    store::{self, DatabaseUrl, Store},
};

use crate::{
    figure::{Figure, Goal},
    lab::{Lab, Signers, Template, add_records, drain, sign_one},
    noop::NoopOpener,
    scratch::url_on,
};

/// Runs one of several nodes: signs all waiting records with the no-op signer, and ends.
///
/// # Errors
/// The errors of the run, and a database that was not made by this program.
pub fn no_op_node(server: &str, name: &str) -> Result<()> {
    let store = store::open(&url_on(server, name)?)?;
    drain(Parts::new(Settings::default(), Arc::new(NoopOpener), Mode::Drain), &store)
}

/// One node, and three, each a process with the no-op signer. `node` makes the command of a node for the database
/// with the given name.
pub fn nodes(
    lab: &Lab,
    template: &Template,
    node: impl Fn(&str) -> Result<Command>,
    repeat: u16,
) -> Result<Vec<Figure>> {
    let rate = |nodes: usize| -> Result<f64> {
        let name = lab.copy(template)?;
        let begun = Instant::now();
        let start = |_| -> Result<Child> { Ok(node(&name)?.spawn()?) };
        for mut node in (0..nodes).map(start).collect::<Result<Vec<_>>>()? {
            ensure!(node.wait()?.success(), "a node failed");
        }
        let seconds = begun.elapsed().as_secs_f64();
        let signed = lab.open(&name)?.counts()?.signatures;
        ensure!(signed == template.records, "not every record was signed");
        lab.scratch.remove(&name)?;
        Ok(template.records as f64 / seconds)
    };
    let (mut one, mut ratios) = (Vec::new(), Vec::new());
    for round in 1..=repeat {
        let (single, three) = (rate(1)?, rate(3)?);
        log::info!("nodes, round {round}: one {single:.0} records/s, three {three:.0}");
        one.push(single);
        ratios.push(three / single);
    }
    Ok(vec![
        Figure::new("records/s of one node, no-op signer", Some(Goal::AtLeast(50_000.0)), one),
        Figure::new("three nodes ÷ one", Some(Goal::AtLeast(1.0)), ratios),
    ])
}

/// The rate on a database with `signed` signed records ÷ the rate on an empty database.
pub fn large(lab: &Lab, template: &Template, signed: u64, repeat: u16) -> Result<Vec<Figure>> {
    let (settings, full) = (Settings::default(), lab.copy(template)?);
    let fill = |first, last| add_records(lab.open(&full)?.as_ref(), first, last);
    fill(template.records + 1, signed)?;
    lab.sign_at(&full, template, signed, &settings, Signers::Noop)?;
    let (mut total, mut ratios) = (signed, Vec::new());
    for round in 1..=repeat {
        let empty = lab.sign(template, &settings, Signers::Noop)?.seconds;
        fill(total + 1, total + template.records)?;
        total += template.records;
        let seconds = lab.sign_at(&full, template, template.records, &settings, Signers::Noop)?.seconds;
        log::info!("large, round {round}: {:.3}", empty / seconds);
        ratios.push(empty / seconds);
    }
    lab.scratch.remove(&full)?;
    Ok(vec![Figure::new(
        format!("rate with {signed} signed records ÷ on an empty database"),
        Some(Goal::AtLeast(0.9)),
        ratios,
    )])
}

/// How many times are measured.
const SAMPLES: usize = 300;

/// Clients that insert at the same time.
const CLIENTS: u16 = 32;
/// How long they insert.
const INSERTING: Duration = Duration::from_secs(4);

/// Inserts of one record each by 32 clients, with the trigger that notifies the nodes ÷ without.
pub fn inserts(lab: &Lab, repeat: u16) -> Result<Vec<Figure>> {
    let name = lab.scratch.database(None)?;
    let url = lab.scratch.url(&name)?;
    store::migrate(&url)?;
    let DatabaseUrl::Postgres(url) = url else { bail!("inserts are measured on a server") };
    let (mut rates, mut ratios) = (Vec::new(), Vec::new());
    for round in 1..=repeat {
        let before = insert_rate(&url)?;
        notify(&url, "DISABLE")?;
        let without = insert_rate(&url)?;
        notify(&url, "ENABLE")?;
        let with = (before + insert_rate(&url)?) / 2.0;
        log::info!("inserts, round {round}: {with:.0}/s, {without:.0}/s without notifications");
        rates.push(with);
        ratios.push(with / without);
    }
    lab.scratch.remove(&name)?;
    Ok(vec![
        Figure::new("inserts of one record each /s, 32 clients", None, rates),
        Figure::new("· ÷ without notifications", Some(Goal::AtLeast(0.9)), ratios),
    ])
}

fn notify(url: &str, whether: &str) -> Result<()> {
    let alter = format!("ALTER TABLE record {whether} TRIGGER record_news");
    Ok(PgConnection::establish(url)?.batch_execute(&alter)?)
}

fn insert_rate(url: &str) -> Result<f64> {
    let begun = Instant::now();
    let client = || -> Result<u64> {
        let (mut connection, mut inserted) = (PgConnection::establish(url)?, 0);
        while begun.elapsed() < INSERTING {
            connection.batch_execute("INSERT INTO record (payload) VALUES ('inserted')")?;
            inserted += 1;
        }
        Ok(inserted)
    };
    let inserted = thread::scope(|scope| -> Result<u64> {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        let join = |client: thread::ScopedJoinHandle<'_, Result<u64>>| {
            client.join().map_err(|_| anyhow!("a client panicked"))?
        };
        clients.into_iter().map(join).sum()
    })?;
    Ok(inserted as f64 / begun.elapsed().as_secs_f64())
}

/// The time from the commit of one record to the commit of its signature, while the service is idle.
pub fn latency(lab: &Lab, template: &Template) -> Result<Vec<Figure>> {
    let name = lab.copy(template)?;
    // The service signs all waiting records first, so that it has opened every key and is idle.
    let (store, other) = (lab.open(&name)?, lab.open(&name)?);
    let (settings, stop) = (Settings::default(), Stop::default());
    let opener = template.opener(Signers::Real);
    let mut times = thread::scope(|scope| -> Result<Vec<f64>> {
        let parts = Parts { stop: stop.clone(), ..Parts::new(settings, opener, Mode::Serve(Roles::Both)) };
        let service = scope.spawn(move || actix_rt::System::new().block_on(actors::run(parts, store)));
        let times = wait_for_all(other.as_ref()).and_then(|()| samples(other.as_ref()));
        stop.request();
        service.join().map_err(|_| anyhow!("the service panicked"))??;
        times
    })?;
    lab.scratch.remove(&name)?;
    times.sort_by(f64::total_cmp);
    let percentile = |percent: usize| vec![times[(times.len() * percent / 100).min(times.len() - 1)]];
    Ok(vec![
        Figure::new("ms from INSERT to signature, p50", Some(Goal::AtMost(10.0)), percentile(50)),
        Figure::new("· p99", Some(Goal::AtMost(50.0)), percentile(99)),
        Figure::new("· all", None, times),
    ])
}

fn wait_for_all(store: &dyn Store) -> Result<()> {
    while store.status()?.waiting() > 0 {
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn samples(store: &dyn Store) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        thread::sleep(Duration::from_millis(20));
        let (inserted, signed) = sign_one(store)?;
        times.push((signed - inserted).as_secs_f64() * 1e3);
    }
    Ok(times)
}
