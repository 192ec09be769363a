//! Queues of RabbitMQ: messages that become records, and until their signatures are published.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use signwave::{
    config::Settings,
    store::{self, NewRecord, OnConflict},
};
use support::{amqp, rabbitmq::Broker};

use crate::{
    figure::{Figure, Goal},
    http::{LIMIT, Place},
    lab::{Lab, Template},
    suites::SLICE,
};

/// Records in a transaction of the intake, at most.
const CHUNK: u16 = 1000;

/// The rate at which messages of a quorum queue become records ÷ the rate at which the same chunks are inserted, and the
/// rate at which they are signed and published ÷ the raw signing rate.
pub fn figures(lab: &Lab, template: &Template, repeat: u16) -> Result<Vec<Figure>> {
    let broker = Broker::start();
    let mut figures = intake(lab, &broker, template.records, repeat)?;
    figures.extend(through(lab, &broker, template, repeat)?);
    Ok(figures)
}

fn intake(lab: &Lab, broker: &Broker, records: u64, repeat: u16) -> Result<Vec<Figure>> {
    let (mut rates, mut ratios, mut taken) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=repeat {
        let before = insert(lab, records)?;
        let queue = filled(broker, &format!("in-{round}"), records);
        let place = Place::new(lab, 1)?;
        let begun = Instant::now();
        let service = place.serve(&["--roles", "emit", "--intake", &broker.queue(&queue, "")])?;
        let started = begun.elapsed();
        place.until(records, |status| status.records())?;
        let rate = records as f64 / (begun.elapsed() - started).as_secs_f64();
        drop(service);
        let inserts = (before + insert(lab, records)?) / 2.0;
        let bare = take(broker, &format!("taken-{round}"), records);
        log::info!(
            "intake, round {round}: {rate:.0} records/s, {inserts:.0}/s inserted, {bare:.0}/s only taken"
        );
        rates.push(rate);
        ratios.push(rate / inserts);
        taken.push(rate / bare);
    }
    Ok(vec![
        Figure::new("records/s from a quorum queue", None, rates),
        Figure::new("· ÷ inserts of the same chunks", Some(Goal::AtLeast(0.5)), ratios),
        Figure::new("· ÷ a client that only acknowledges them", None, taken),
    ])
}

/// The rate of a client that takes as many messages as `records` from a queue, and does nothing but acknowledge them.
fn take(broker: &Broker, queue: &str, records: u64) -> f64 {
    let queue = filled(broker, queue, records);
    let begun = Instant::now();
    amqp::take(&broker.url(), &queue, records, CHUNK);
    records as f64 / begun.elapsed().as_secs_f64()
}

/// Inserts as many records as `records` in chunks, and returns how many each second.
fn insert(lab: &Lab, records: u64) -> Result<f64> {
    let name = lab.scratch.database(None)?;
    store::migrate(&lab.scratch.url(&name)?)?;
    let (store, messages, begun) = (lab.open(&name)?, messages("insert", records), Instant::now());
    for chunk in messages.chunks(CHUNK.into()) {
        let rows = chunk.iter().map(|(id, body)| NewRecord { external_id: id.as_deref(), payload: body });
        store.insert_records(&rows.collect::<Vec<_>>(), OnConflict::Stop)?;
    }
    let rate = records as f64 / begun.elapsed().as_secs_f64();
    drop(store);
    lab.scratch.remove(&name)?;
    Ok(rate)
}

/// From one queue, through the database, to another queue.
fn through(lab: &Lab, broker: &Broker, template: &Template, repeat: u16) -> Result<Vec<Figure>> {
    let (mut rates, mut ratios) = (Vec::new(), Vec::new());
    for round in 1..=repeat {
        let records = template.records;
        let (from, to) = (filled(broker, &format!("from-{round}"), records), format!("to-{round}"));
        amqp::declare(&broker.url(), &to);
        let place = Place::new(lab, 100)?;
        let mut raw = lab.raw_speed(template, &Settings::default(), lab.engine)?;
        raw.measure(SLICE)?;
        let (engine, begun) = (lab.engine.to_string(), Instant::now());
        let queues = ["--intake", &broker.queue(&from, ""), "--publish", &broker.queue(&to, "")];
        let service = place.serve(&[&["--signer", engine.as_str()][..], &queues].concat())?;
        place.until(records, |status| status.signed)?;
        until(|| {
            let last = place.store().sequence()?.last;
            Ok(place.store().outlets()?.iter().any(|outlet| outlet.position.place == last))
        })?;
        let rate = records as f64 / begun.elapsed().as_secs_f64();
        drop(service);
        raw.measure(SLICE)?;
        ensure!(amqp::ready(&broker.url(), &to) > 0, "nothing was published");
        log::info!("through, round {round}: {rate:.0} records/s of raw {:.0}/s", raw.per_second());
        rates.push(rate);
        ratios.push(rate / raw.per_second());
    }
    Ok(vec![
        Figure::new("records/s from a queue, signed, to a queue", None, rates),
        Figure::new("· ÷ raw", Some(Goal::AtLeast(0.75)), ratios),
    ])
}

/// A quorum queue with messages that are confirmed.
fn filled(broker: &Broker, queue: &str, count: u64) -> String {
    amqp::declare(&broker.url(), queue);
    amqp::publish(&broker.url(), queue, &messages(queue, count));
    queue.to_owned()
}

/// Messages of 256 bytes each.
fn messages(prefix: &str, count: u64) -> Vec<amqp::Message> {
    let message = |number: u64| (Some(format!("{prefix}-{number}")), number.to_be_bytes().repeat(32));
    (0..count).map(message).collect()
}

fn until(is_done: impl Fn() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !is_done()? {
        ensure!(begun.elapsed() < LIMIT, "it takes longer than {LIMIT:?}");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
