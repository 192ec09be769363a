//! The suites for either database.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use signwave::{
    audit,
    config::{Checking, Settings},
    domain::{BatchId, Scheme},
    signer::{Engine, PublicKey},
};

use crate::{
    figure::{Figure, Goal},
    lab::{Lab, Signers, Template},
    raw_verify::{Signed, verification_rate},
};

/// How long a raw rate is measured on each side of an end-to-end run.
pub const SLICE: Duration = Duration::from_secs(4);

/// The rate ÷ the raw signing rate, by batch size.
pub fn batches(lab: &Lab, template: &Template, repeat: u16) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (batch_size, goal, server_goal) in
        [(1000, 0.97, Some(0.93)), (100, 0.96, Some(0.91)), (10, 0.90, Some(0.80)), (1, 0.60, None)]
    {
        let goal = if lab.scratch.is_server() { server_goal } else { Some(goal) };
        let settings = Settings { batch_size, ..Settings::default() };
        let (mut rates, mut ratios) = (Vec::new(), Vec::new());
        for round in 1..=repeat {
            let mut raw = lab.raw_speed(template, &settings, lab.engine)?;
            raw.measure(SLICE)?;
            let rate = template.records as f64 / lab.sign(template, &settings, Signers::Real)?.seconds;
            raw.measure(SLICE)?;
            let raw = raw.per_second();
            log::info!(
                "batch {batch_size}, round {round}: {rate:.0}/s of raw {raw:.0}/s = {:.3}",
                rate / raw
            );
            rates.push(rate);
            ratios.push(rate / raw);
        }
        figures.push(Figure::new(format!("signed records/s, batch {batch_size}"), None, rates));
        figures.push(Figure::new(format!("÷ raw, batch {batch_size}"), goal.map(Goal::AtLeast), ratios));
    }
    Ok(figures)
}

/// Two signing threads ÷ one.
pub fn threads(lab: &Lab, template: &Template, repeat: u16) -> Result<Vec<Figure>> {
    let mut ratios = Vec::new();
    for round in 1..=repeat {
        let seconds = |signers| -> Result<f64> {
            let settings = Settings { signers, ..Settings::default() };
            Ok(lab.sign(template, &settings, Signers::Real)?.seconds)
        };
        let ratio = seconds(1)? / seconds(2)?;
        log::info!("threads, round {round}: two are {ratio:.3} times as fast as one");
        ratios.push(ratio);
    }
    Ok(vec![Figure::new("two signing threads ÷ one", Some(Goal::AtLeast(1.9)), ratios)])
}

/// The rate with every signature verified before it is stored ÷ the rate without.
pub fn checking(lab: &Lab, template: &Template, repeat: u16) -> Result<Vec<Figure>> {
    let (mut ratios, mut costs) = (Vec::new(), Vec::new());
    for round in 1..=repeat {
        let measure =
            |checking| lab.sign(template, &Settings { checking, ..Settings::default() }, Signers::Real);
        let (before, checked, after) =
            (measure(Checking::Needed)?, measure(Checking::Always)?, measure(Checking::Needed)?);
        let ratio = (before.seconds + after.seconds) / 2.0 / checked.seconds;
        let cost = checked.cpu_seconds - (before.cpu_seconds + after.cpu_seconds) / 2.0;
        log::info!("checking, round {round}: {ratio:.3} of the rate without");
        ratios.push(ratio);
        costs.push(cost * 1e6 / template.records as f64);
    }
    Ok(vec![
        Figure::new("every signature checked ÷ not", Some(Goal::AtLeast(0.9)), ratios),
        Figure::new("· CPU µs per record for it", None, costs),
    ])
}

/// Everything that is not RSA: records per second with a signer that does nothing. The largest batches are measured
/// on `large`.
pub fn ceiling(lab: &Lab, template: &Template, large: &Template, repeat: u16) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (batch_size, template) in [(1000, large), (100, template), (10, template), (1, template)] {
        let settings = Settings { batch_size, ..Settings::default() };
        let (mut rates, mut costs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        let mut server_costs = Vec::new();
        for _ in 0..repeat {
            let measured = lab.sign(template, &settings, Signers::Noop)?;
            rates.push(template.records as f64 / measured.seconds);
            costs.push(measured.cpu_seconds * 1e6 / template.records as f64);
            server_costs.extend(measured.server_cpu_seconds.map(|cpu| cpu * 1e6 / template.records as f64));
            ratios.push(measured.last_to_first);
        }
        let (mut goal, mut steady, mut server_goal) = (None, None, None);
        if batch_size == 1000 {
            let least = if lab.scratch.is_server() { 50_000.0 } else { 80_000.0 };
            (goal, steady) = (Some(Goal::AtLeast(least)), Some(Goal::AtLeast(0.95)));
            server_goal = Some(Goal::AtMost(12.0));
        }
        figures.push(Figure::new(format!("records/s with a no-op signer, batch {batch_size}"), goal, rates));
        figures.push(Figure::new("· CPU µs per record", None, costs));
        if !server_costs.is_empty() {
            figures.push(Figure::new("· CPU µs per record of the server", server_goal, server_costs));
        }
        figures.push(Figure::new("· last tenth ÷ first tenth", steady, ratios));
    }
    Ok(figures)
}

/// The rate of `verify` ÷ the raw verification rate.
pub fn verify(lab: &Lab, template: &Template, repeat: u16) -> Result<Vec<Figure>> {
    verify_with(lab, template, repeat, [lab.engine; 2], Goal::AtLeast(0.9))
}

/// The rate of `verify` with the first engine ÷ the raw verification rate of the second.
pub fn verify_with(
    lab: &Lab,
    template: &Template,
    repeat: u16,
    [engine, raw_engine]: [Engine; 2],
    goal: Goal,
) -> Result<Vec<Figure>> {
    let name = lab.copy(template)?;
    lab.sign_at(&name, template, template.records, &Settings::default(), Signers::Real)?;
    let store = lab.open(&name)?;
    let (keys, mut verifiers, mut records) = (store.keys()?, Vec::new(), Vec::new());
    for key in &keys {
        verifiers.push(raw_engine.verifier(&PublicKey::from_spki(&key.public_key)?)?);
    }
    for batch in store.batches(BatchId(0), 20)? {
        let verifier = keys.iter().position(|key| Some(key.id) == batch.key).context("a batch has a key")?;
        store.read_signed(&batch.records, &mut |row| {
            let signature = row.signature.map(|(_, value)| value.to_vec()).unwrap_or_default();
            records.push(Signed { verifier, payload: row.payload.to_vec(), signature });
        })?;
    }
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (mut rates, mut ratios) = (Vec::new(), Vec::new());
    for round in 1..=repeat {
        let raw = || verification_rate(&verifiers, Scheme::default(), &records, threads, SLICE);
        let before = raw()?;
        let begun = Instant::now();
        let report = audit::check_all(store.as_ref(), engine, threads, Vec::new(), &|_| {})?;
        let rate = report.verified as f64 / begun.elapsed().as_secs_f64();
        ensure!(report.is_clean(), "the measured database does not verify");
        let raw = (before + raw()?) / 2.0;
        log::info!("verify, round {round}: {rate:.0}/s of raw {raw:.0}/s = {:.3}", rate / raw);
        rates.push(rate);
        ratios.push(rate / raw);
    }
    Ok(vec![
        Figure::new(format!("verified records/s, {engine}"), None, rates),
        Figure::new(format!("· ÷ raw verification, {raw_engine}"), Some(goal), ratios),
    ])
}
