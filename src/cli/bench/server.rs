//! What only a database server can show: several nodes, news, and many records that are signed already.

use std::{
    process::{Child, Command},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use super::{
    super::{context::Context, run::run, seed::add_records},
    figure::{Figure, Goal},
    lab::{Lab, NoopOpener, PAYLOAD, Signing, Template},
};
use crate::{
    actors::{self, Mode, Parts, Stop},
    config::{Roles, Settings},
    domain::InsertVerdict,
    store::{DatabaseUrl, NewRecord, Store},
};

/// What one of several nodes is: signs what waits, with the no-op signer, and ends.
pub fn no_op_node(context: &Context) -> Result<()> {
    let database = context.open()?;
    let (settings, opener) = (Signing::Noop.settings(&Settings::default()), Arc::new(NoopOpener));
    run(context, &database, Parts::new(settings, opener, Mode::Drain))?;
    Ok(())
}

/// One node, and three, each a process of its own, with the no-op signer.
pub fn nodes(context: &Context, lab: &Lab<'_>, template: &Template, repeat: u16) -> Result<Vec<Figure>> {
    let rate = |nodes: usize| -> Result<f64> {
        let url = lab.copy(template)?;
        let DatabaseUrl::Postgres(address) = &url else { return Ok(0.0) };
        let begun = Instant::now();
        let start = || -> Result<Child> {
            let mut node = Command::new(std::env::current_exe()?);
            Ok(node.args(["bench", "--no-op-node"]).env("SIGNWAVE_DATABASE", address).spawn()?)
        };
        let nodes = (0..nodes).map(|_| start()).collect::<Result<Vec<_>>>()?;
        for mut node in nodes {
            ensure!(node.wait()?.success(), "a node failed");
        }
        let seconds = begun.elapsed().as_secs_f64();
        let signed = context.open_at(url.clone())?.store.counts()?.signatures;
        ensure!(signed == template.records, "not every record was signed");
        lab.discard(&url)?;
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

/// The rate on a database with `signed` records that are signed already ÷ that on an empty one.
pub fn large(
    context: &Context,
    lab: &Lab<'_>,
    template: &Template,
    signed: u64,
    repeat: u16,
) -> Result<Vec<Figure>> {
    let settings = Settings::default();
    let full = lab.copy(template)?;
    let fill = |first: u64, last: u64| -> Result<()> {
        let store = context.open_at(full.clone())?.store;
        add_records(context, store.as_ref(), (first, last), PAYLOAD)?;
        Ok(())
    };
    fill(template.records + 1, signed)?;
    lab.sign_at(&full, template, signed, &settings, Signing::Noop)?;
    let (mut total, mut ratios) = (signed, Vec::new());
    for round in 1..=repeat {
        let empty = lab.sign(template, &settings, Signing::Noop)?.seconds;
        fill(total + 1, total + template.records)?;
        total += template.records;
        let seconds = lab.sign_at(&full, template, template.records, &settings, Signing::Noop)?.seconds;
        log::info!("large, round {round}: {:.3}", empty / seconds);
        ratios.push(empty / seconds);
    }
    lab.discard(&full)?;
    Ok(vec![Figure::new(
        format!("rate with {signed} signed records ÷ on an empty database"),
        Some(Goal::AtLeast(0.9)),
        ratios,
    )])
}

/// How often the time to a signature is taken.
const SAMPLES: usize = 300;

/// The time from the commit of one record to the commit of its signature, on a service that idles.
pub fn latency(context: &Context, lab: &Lab<'_>, template: &Template) -> Result<Vec<Figure>> {
    let url = lab.copy(template)?;
    // Signs what waits, so that every key is open and the service idles.
    let (store, other) = (context.open_at(url.clone())?.store, context.open_at(url.clone())?.store);
    let stop = Stop::default();
    let opener = Signing::Real.opener(template);
    let mut times = thread::scope(|scope| -> Result<Vec<f64>> {
        let service = scope.spawn(|| -> Result<_> {
            let settings = Settings::default();
            let mode = Mode::Serve(Roles::Both);
            let run = actors::run(Parts { stop: stop.clone(), ..Parts::new(settings, opener, mode) }, store);
            crate::cli::run::system()?.block_on(run).map_err(anyhow::Error::from)
        });
        let times = wait_for_all(other.as_ref()).and_then(|()| samples(other.as_ref()));
        stop.request();
        service.join().map_err(|_| anyhow::anyhow!("the service panicked"))??;
        times
    })?;
    lab.discard(&url)?;
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
        let record = NewRecord { external_id: None, payload: b"latency" };
        let inserted = store.insert_records(&[record])?;
        let begun = Instant::now();
        let Some(InsertVerdict::Inserted(id)) = inserted.first().copied() else {
            anyhow::bail!("the record was not inserted")
        };
        while store.batch_of(id)?.is_none() {
            ensure!(begun.elapsed() < Duration::from_secs(10), "a record was not signed within 10 s");
            thread::sleep(Duration::from_micros(200));
        }
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}
