//! The suite for the engine `lanes`: what it brings over aws-lc, in turns with it.

use std::{hint::black_box, time::Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::time::{ClockId, clock_gettime};
use signwave::{
    config::Settings,
    domain::{Digest, Scheme, SignatureBuf},
    signer::{Engine, LANES, Signer, digest, generate},
};

use crate::{
    figure::{Figure, Goal},
    lab::{Lab, Signers, Template},
    suites::{SLICE, verify_with},
};

/// Everything that is measured of `lanes`. A server has an influence on whole runs only.
pub fn lanes(lab: &Lab, template: &Template, repeat: u16) -> Result<Vec<Figure>> {
    ensure!(Engine::Lanes.is_supported(), "this CPU lacks AVX-512 IFMA, which the engine lanes needs");
    let mut figures = Vec::new();
    if !lab.scratch.is_server() {
        for (bits, rounds, goal) in [(2048, 400, 1.95), (3072, 150, 1.75), (4096, 80, 1.75)] {
            figures.extend(one_core(bits, rounds * usize::from(repeat), goal)?);
        }
        figures.push(two_threads(lab, template, repeat)?);
        figures.push(opening(lab, template)?);
    }
    figures.extend(runs(lab, template, repeat)?);
    let engines = [Engine::Lanes, Engine::AwsLc];
    figures.extend(verify_with(lab, template, repeat, engines, Goal::AtLeast(2.5))?);
    Ok(figures)
}

/// Whole signatures of groups of eight: the time of aws-lc ÷ that of lanes, both in this thread. Besides, the time in which
/// aws-lc verifies one of them, in percent of the group's.
fn one_core(bits: u32, rounds: usize, goal: f64) -> Result<Vec<Figure>> {
    let (key, scheme) = (generate(bits)?, Scheme::default());
    let digests: Vec<_> = (0..LANES).map(|i| digest(scheme.digest(), &i.to_be_bytes())).collect();
    let [mut aws_lc, mut lanes] = [Engine::AwsLc.signer(&key)?, Engine::Lanes.signer(&key)?];
    let verifier = Engine::AwsLc.verifier(key.public_key())?;
    let (mut rates, mut ratios, mut checks) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (theirs, _) = seconds_for(&mut *aws_lc, scheme, &digests)?;
        let (ours, made) = seconds_for(&mut *lanes, scheme, &digests)?;
        let begun = thread_seconds();
        let signed = digests.iter().zip(made.iter());
        let valid = signed.filter(|(digest, made)| verifier.verify(scheme, digest, made)).count();
        let check = (thread_seconds() - begun) / LANES as f64;
        ensure!(valid == LANES, "a signature does not verify");
        rates.push(LANES as f64 / ours);
        ratios.push(theirs / ours);
        checks.push(check / ours * 100.0);
    }
    Ok(vec![
        Figure::new(format!("lanes, RSA-{bits}, one core, signatures/s"), None, rates),
        Figure::new(format!("· ÷ aws-lc, {rounds} rounds"), Some(Goal::AtLeast(goal)), ratios),
        Figure::new("· one of eight verified by aws-lc, % of the time", Some(Goal::AtMost(3.0)), checks),
    ])
}

/// Processor time of this thread for a group of signatures, and the signatures.
fn seconds_for(signer: &mut dyn Signer, scheme: Scheme, digests: &[Digest]) -> Result<(f64, SignatureBuf)> {
    let mut out = SignatureBuf::with_capacity(signer.public_key().modulus_len(), digests.len());
    let begun = thread_seconds();
    signer.sign(scheme, digests, &mut out)?;
    Ok((thread_seconds() - begun, out))
}

fn thread_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The raw rate of two threads ÷ that of one.
fn two_threads(lab: &Lab, template: &Template, repeat: u16) -> Result<Figure> {
    let mut ratios = Vec::new();
    for _ in 0..repeat {
        let rate = |signers| -> Result<f64> {
            let settings = Settings { signers, ..Settings::default() };
            let mut raw = lab.raw_speed(template, &settings, Engine::Lanes)?;
            raw.measure(SLICE)?;
            Ok(raw.per_second())
        };
        let (one, two, again) = (rate(1)?, rate(2)?, rate(1)?);
        ratios.push(two / ((one + again) / 2.0));
    }
    Ok(Figure::new("lanes, two threads ÷ one, raw", Some(Goal::AtLeast(1.9)), ratios))
}

/// Milliseconds to open a stored key: it is unsealed, and opened by both engines.
fn opening(lab: &Lab, template: &Template) -> Result<Figure> {
    let (store, opener) = (lab.open(template.name())?, template.opener(Signers::Of(Engine::Lanes)));
    let mut times = Vec::new();
    for key in store.keys()? {
        let key = store.stored_key(key.id)?.context("the key is there")?;
        let begun = Instant::now();
        black_box(opener.open(&key)?);
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Figure::new("lanes, opening a key, ms", Some(Goal::AtMost(2.0)), times))
}

/// Whole runs, each beside the same with aws-lc and beside the raw speed of lanes.
fn runs(lab: &Lab, template: &Template, repeat: u16) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (batch_size, goal, server_goal) in [(1000, 1.85, Some(1.7)), (100, 1.8, None), (10, 1.2, None)] {
        let goal = if lab.scratch.is_server() { server_goal } else { Some(goal) };
        let settings = Settings { batch_size, ..Settings::default() };
        let (mut rates, mut to_aws_lc, mut to_raw) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=repeat {
            let mut raw = lab.raw_speed(template, &settings, Engine::Lanes)?;
            let rate = |engine| -> Result<f64> {
                let run = lab.sign(template, &settings, Signers::Of(engine))?;
                Ok(template.records as f64 / run.seconds)
            };
            let before = rate(Engine::AwsLc)?;
            raw.measure(SLICE)?;
            let lanes = rate(Engine::Lanes)?;
            raw.measure(SLICE)?;
            let aws_lc = (before + rate(Engine::AwsLc)?) / 2.0;
            let raw = raw.per_second();
            log::info!(
                "lanes, batch {batch_size}, round {round}: {lanes:.0}/s, aws-lc {aws_lc:.0}/s, raw {raw:.0}/s"
            );
            rates.push(lanes);
            to_aws_lc.push(lanes / aws_lc);
            to_raw.push(lanes / raw);
        }
        figures.push(Figure::new(format!("lanes, signed records/s, batch {batch_size}"), None, rates));
        figures.push(Figure::new("· ÷ the same with aws-lc", goal.map(Goal::AtLeast), to_aws_lc));
        let goal = (batch_size == 1000 && !lab.scratch.is_server()).then_some(Goal::AtLeast(0.95));
        figures.push(Figure::new("· ÷ raw lanes", goal, to_raw));
    }
    Ok(figures)
}
