//! `signwave keys generate --custodian`: keys that a hardware token makes.

use std::io;

use anyhow::{Context as _, Result, bail};
use data_encoding::HEXLOWER;

use super::rows::{NewKeys, add, row};
use crate::{
    cli::{
        context::{Context, Place},
        failure::Usage,
        progress::Unit,
    },
    domain::{Fingerprint, KeyMaterial},
    signer::{
        SignerError, random_secret,
        token::{Candidate, TokenAccess},
    },
    store::NewKey,
};

/// Has the token of a custodian make keys. Each key is stored as soon as it is made and has passed the checks of
/// `keys add`, and then shown. After an interruption the last key may be in the token only: `keys add` adds it.
pub(super) fn generate(
    context: &Context,
    custodian: &str,
    new: &NewKeys,
    show: &dyn Fn(Fingerprint) -> io::Result<()>,
) -> Result<()> {
    let NewKeys { count, bits, limits } = *new;
    if ![2048, 3072, 4096, 8192].contains(&bits) {
        bail!(SignerError::GenerateSize { bits });
    }
    let Place::Token(place) = context.custodian(custodian)? else {
        bail!(Usage(format!(
            "the custodian '{custodian}' has files, and makes no keys: put a key there, and add it"
        )))
    };
    let store = context.open()?.store;
    let token = place.open()?;
    let progress = context.progress("generating keys", count as u64, Unit::Pieces);
    for _ in 0..count {
        let key = NewKey { limits, ..make(&token, custodian, bits)? };
        add(store.as_ref(), &key)?;
        progress.add(1);
        let shown = progress.aside(|| show(key.fingerprint));
        shown.with_context(|| format!("key {} is stored, but could not be printed", key.fingerprint))?;
    }
    progress.finish();
    Ok(())
}

fn make(token: &TokenAccess, custodian: &str, bits: u32) -> Result<NewKey> {
    let id = random_secret::<16>();
    let label = format!("signwave-{}", HEXLOWER.encode(&id[..4]));
    let made = token.generate(bits, &*id, &label)?;
    let check = || -> Result<Candidate, SignerError> {
        let candidate = Candidate::of(custodian, &made, &token.list(Some(&*id), None)?)?;
        candidate.try_schemes(token)?;
        Ok(candidate)
    };
    let candidate = check().map_err(|error| {
        let sentence =
            format!("the token has made the key '{label}', which cannot be used: delete it there; {error}");
        anyhow::Error::new(error).context(sentence)
    })?;
    candidate.warnings.iter().for_each(|warning| log::warn!("'{}': {warning}", candidate.location));
    let location = candidate.location.to_string();
    let material = KeyMaterial::Elsewhere { custody: custodian.to_owned(), location };
    Ok(row(&candidate.public_key, material))
}
