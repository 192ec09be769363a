//! Keys in tokens: SoftHSM, which signs on the processors of this machine, and a token that takes 100 ms for a signature.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use signwave::{
    cli::raw::RawSpeed,
    config::Settings,
    domain::{By, KeyLimits, KeyMaterial, Who},
    signer::{
        Custodians, OpenSigner,
        token::{Candidate, Token, TokenAccess, TokenSettings},
    },
    store::NewKey,
};
use support::tokens::{self, Shim};
use tempfile::TempDir;

use crate::{
    figure::{Figure, Goal},
    lab::{Lab, Signers, Template},
    product,
    suites::SLICE,
};

const CUSTODIAN: &str = "token";

/// Records to sign with SoftHSM, and keys in it.
const RECORDS: u64 = 20_000;
const KEYS: usize = 8;

/// Keys of a token whose start is measured.
const MANY_KEYS: usize = 1000;

/// Keys of the slow token.
const SLOW_KEYS: usize = 10;

/// One and two sessions of SoftHSM ÷ the same sessions without a database, and two ÷ one.
pub fn sessions(lab: &Lab, bits: u32, repeat: u16) -> Result<Vec<Figure>> {
    let folder = TempDir::new()?;
    let token = tokens::Token::softhsm(folder.path());
    let template = lab.template(RECORDS, 0, bits)?;
    add_keys(lab, &template, &token, KEYS, bits)?;
    let mut figures = Vec::new();
    let mut rates = [const { Vec::new() }; 2];
    for (sessions, rates) in [1, 2].into_iter().zip(&mut rates) {
        let mut ratios = Vec::new();
        let settings = Settings { batch_size: 100, signers: sessions, ..Settings::default() };
        for round in 1..=repeat {
            let opener = custodians(&template, &token, sessions)?;
            let mut raw = RawSpeed::open(lab.open(template.name())?.as_ref(), opener.as_ref(), &settings)?;
            raw.measure(SLICE)?;
            let rate = RECORDS as f64 / lab.sign_with(&template, opener, &settings)?.seconds;
            raw.measure(SLICE)?;
            let raw = raw.per_second();
            log::info!("{sessions} sessions, round {round}: {rate:.0}/s of raw {raw:.0}/s");
            rates.push(rate);
            ratios.push(rate / raw);
        }
        let least = if sessions == 1 { 0.95 } else { 0.90 };
        let name = format!("signed records/s, SoftHSM, sessions: {sessions}, batch 100");
        figures.push(Figure::new(name, None, rates.clone()));
        figures.push(Figure::new(
            "· ÷ the same sessions without a database",
            Some(Goal::AtLeast(least)),
            ratios,
        ));
    }
    let [one, two] = rates;
    let ratios = two.iter().zip(&one).map(|(two, one)| two / one).collect();
    figures.push(Figure::new("two sessions ÷ one", Some(Goal::AtLeast(1.8)), ratios));
    Ok(figures)
}

/// The keys of a template and 10 keys that take 100 ms for a signature ÷ the keys of the template alone.
pub fn beside(lab: &Lab, template: &Template, bits: u32, repeat: u16) -> Result<Vec<Figure>> {
    let folder = TempDir::new()?;
    let shim = Shim::of(&tokens::Token::softhsm(folder.path()));
    add_keys(lab, template, &shim.token, SLOW_KEYS, bits)?;
    // It is called twice for a signature: first for its length.
    shim.control("C_Sign.delay_us=50000");
    let mut figures = Vec::new();
    for batch_size in [1000, 100] {
        let settings = Settings { batch_size, ..Settings::default() };
        let mut ratios = Vec::new();
        for round in 1..=repeat {
            let alone = || lab.sign(template, &settings, Signers::Real);
            let before = alone()?.seconds;
            let opener = custodians(template, &shim.token, SLOW_KEYS)?;
            let beside = lab.sign_with(template, opener, &settings)?.seconds;
            let ratio = beside / ((before + alone()?.seconds) / 2.0);
            log::info!("batch {batch_size}, round {round}: {ratio:.3} of the time without slow keys");
            ratios.push(ratio);
        }
        let name = format!("time with 10 keys of 100 ms a signature ÷ without, batch {batch_size}");
        figures.push(Figure::new(name, Some(Goal::AtMost(1.05)), ratios));
    }
    Ok(figures)
}

/// From the start of a node with 1,000 keys in a token to its first signature, less the time that the token needs to list
/// them.
pub fn many_keys(lab: &Lab, bits: u32, repeat: u16) -> Result<Vec<Figure>> {
    let folder = TempDir::new()?;
    let token = tokens::Token::softhsm(folder.path());
    let template = lab.template(1, 0, bits)?;
    log::info!("making {MANY_KEYS} keys in a token");
    add_keys(lab, &template, &token, MANY_KEYS, bits)?;
    let (mut seconds, mut listings) = (Vec::new(), Vec::new());
    for round in 1..=repeat {
        let begun = Instant::now();
        let listed = TokenAccess::open(CUSTODIAN, &product()?, &settings(&token, 1))?.list(None, None)?;
        let listing = begun.elapsed().as_secs_f64();
        ensure!(listed.len() == MANY_KEYS, "the token lists {} keys", listed.len());
        let opener = custodians(&template, &token, 4)?;
        let first = lab.sign_with(&template, opener, &Settings::default())?.seconds;
        log::info!("{MANY_KEYS} keys, round {round}: signed after {first:.3} s, listed in {listing:.3} s");
        seconds.push(first - listing);
        listings.push(listing);
    }
    Ok(vec![
        Figure::new(format!("s to list {MANY_KEYS} keys in SoftHSM"), None, listings),
        Figure::new("· s until the first signature, beyond that", Some(Goal::AtMost(1.0)), seconds),
    ])
}

/// Makes keys in a token, and adds them to the database of a template.
fn add_keys(lab: &Lab, template: &Template, token: &tokens::Token, count: usize, bits: u32) -> Result<()> {
    let store = lab.open(template.name())?;
    let access = TokenAccess::open(CUSTODIAN, &product()?, &settings(token, 1))?;
    let by = By::without_request(Who::CommandLine("bench".to_owned()));
    for number in 1..=u16::try_from(count)? {
        access.generate(bits, &number.to_be_bytes(), &format!("bench-{number}"))?;
    }
    let keys = access.list(None, None)?;
    for key in &keys {
        let Candidate { public_key, location, .. } = Candidate::of(CUSTODIAN, key, &keys)?;
        let row = NewKey {
            fingerprint: public_key.fingerprint(),
            public_key: public_key.spki().to_vec(),
            bits: public_key.bits(),
            material: KeyMaterial::Elsewhere {
                custody: CUSTODIAN.to_owned(),
                location: location.to_string(),
            },
            limits: KeyLimits::default(),
        };
        store.add_key(&row, &by)?;
    }
    Ok(())
}

/// Opens the keys of a template and of a token.
fn custodians(template: &Template, token: &tokens::Token, sessions: usize) -> Result<Arc<dyn OpenSigner>> {
    let token = Arc::new(Token::new(CUSTODIAN, product()?, settings(token, sessions)));
    let tokens = [(CUSTODIAN.to_owned(), token)].into();
    Ok(Arc::new(Custodians::new(template.keyring(), [].into(), tokens)))
}

fn settings(token: &tokens::Token, sessions: usize) -> TokenSettings {
    TokenSettings {
        module: token.module.clone(),
        label: Some(token.label.to_owned()),
        serial: None,
        pin_file: token.pin_file.clone(),
        sessions,
        timeout: Duration::from_secs(10),
        env: token.environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
    }
}
