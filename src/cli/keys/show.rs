//! `signwave keys show`.

use std::io::{self, Write};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::{list::as_json, select::select};
use crate::{
    cli::context::Context,
    domain::KeyLimits,
    formats::shown::{self, field},
    signer::{CertificateChain, PublicKey},
    store::{KeyRow, Store},
};

/// Show one key.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  signwave keys show 1
  signwave keys show 9f86d081 --pem > public.pem     for openssl
  signwave keys show 9f86d081 --certificate > chain.pem")]
pub struct Show {
    /// The key: its id, or 4 or more digits of its fingerprint
    #[arg(value_name = "ID|FINGERPRINT")]
    key: String,
    /// Print the public key in PEM
    #[arg(long, conflicts_with = "json")]
    pem: bool,
    /// Print the certificates of the key in PEM, its own first
    #[arg(long, conflicts_with_all = ["pem", "json"])]
    certificate: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let store = context.open_to_read()?.store;
        let key = select(store.as_ref(), &self.key)?;
        let chain = chain(store.as_ref(), &key)?;
        let mut out = io::stdout().lock();
        if self.pem {
            write!(out, "{}", PublicKey::from_spki(&key.public_key)?.to_pem())?;
        } else if self.certificate {
            let Some(chain) = chain else { bail!("key {} has no certificates", key.id) };
            write!(out, "{}", chain.to_pem())?;
        } else if self.json {
            let mut json = as_json(&key);
            if let Some(chain) = chain {
                json["x5c"] = chain.x5c().into();
            }
            writeln!(out, "{}", shown::json(&json))?;
        } else {
            writeln!(out, "id           {}", key.id)?;
            writeln!(out, "fingerprint  {}", key.fingerprint)?;
            writeln!(out, "bits         {}", key.bits)?;
            if let Ok(public_key) = PublicKey::from_spki(&key.public_key) {
                writeln!(out, "signs        {}", public_key.schemes())?;
            }
            writeln!(out, "custody      {}", field(&key.custody))?;
            writeln!(out, "state        {}", key.state)?;
            key.state_reason.iter().try_for_each(|reason| writeln!(out, "reason       {}", field(reason)))?;
            key.barred.iter().try_for_each(|barred| writeln!(out, "barred       {barred}"))?;
            if key.limits != KeyLimits::default() {
                writeln!(out, "limits       {}", key.limits)?;
            }
            key.leased_batch.iter().try_for_each(|batch| writeln!(out, "in use for   batch {batch}"))?;
            writeln!(out, "signatures   {}", key.signature_count)?;
            writeln!(out, "added        {}", field(&key.created_at))?;
            if let Some(chain) = chain {
                writeln!(out, "certificate  {}", field(&chain.subject()))?;
                writeln!(out, "issued by    {}", field(&chain.issuer()))?;
                writeln!(out, "valid        {} to {}", chain.not_before(), chain.not_after())?;
            }
        }
        Ok(())
    }
}

/// The certificates of a key, if it has some.
fn chain(store: &dyn Store, key: &KeyRow) -> Result<Option<CertificateChain>> {
    let stored = store.certificates(Some(key.id))?;
    let Some((_, chain)) = stored.first() else { return Ok(None) };
    let public_key = PublicKey::from_spki(&key.public_key)?;
    let damaged = || format!("the stored certificates of key {} are damaged: run 'signwave verify'", key.id);
    Ok(Some(CertificateChain::from_der(chain, &public_key).with_context(damaged)?))
}
