//! `signwave keys certify`.

use std::{
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;

use super::{secret_file, select::select};
use crate::{
    actors::clock::time_of_day,
    cli::{context::Context, user},
    domain::Time,
    formats::shown::field,
    signer::{CertificateChain, PublicKey},
    store::{CertificatesVerdict, KeyRow, NewCertificates},
};

/// Store the certificates of a key.
#[derive(Args, Debug)]
#[command(after_help = "\
The file has X.509 certificates in PEM: first that of the key, then that of its issuer, and so on,
at most 10, and 64 KiB. Each must be signed with the key of the next one. It is not checked whether
the last one is trusted. They replace those that the key has. 'keys show' prints them, and the API
gives them as x5c.

Examples:
  signwave keys certify 1 chain.pem
  signwave keys certify 9f86d081 --remove")]
pub struct Certify {
    /// The key: its id, or 4 or more digits of its fingerprint
    #[arg(value_name = "ID|FINGERPRINT")]
    key: String,
    /// The certificates; '-' is standard input
    #[arg(value_name = "FILE", required_unless_present = "remove")]
    file: Option<PathBuf>,
    /// Remove the certificates of the key
    #[arg(long, conflicts_with = "file")]
    remove: bool,
}

impl Certify {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let store = context.open()?.store;
        let key = select(store.as_ref(), &self.key)?;
        let name = format!("key {} ({})", key.id, key.fingerprint);
        let chain = self.file.as_ref().map(|file| read(file, &key)).transpose()?;
        let new =
            chain.as_ref().map(|chain| NewCertificates { chain: chain.to_der(), summary: summary(chain) });
        match store.set_certificates(key.id, new.as_ref(), &user::by())? {
            CertificatesVerdict::Set => match &chain {
                Some(chain) => {
                    log::info!(
                        "{name} now has a certificate for {}, valid until {}",
                        field(&chain.subject()),
                        chain.not_after()
                    );
                    note_times(&name, &key, chain);
                }
                None => log::info!("{name} now has no certificates"),
            },
            CertificatesVerdict::HadNone => log::info!("{name} has no certificates"),
            CertificatesVerdict::NoSuchKey => bail!("{name} has just been removed from the database"),
        }
        Ok(())
    }
}

fn read(file: &Path, key: &KeyRow) -> Result<CertificateChain> {
    let public_key = PublicKey::from_spki(&key.public_key)
        .with_context(|| format!("the stored public key {} is damaged: run 'signwave verify'", key.id))?;
    let chain =
        secret_file::read(file).and_then(|input| Ok(CertificateChain::from_pem(&input, &public_key)?));
    chain.map_err(|error| {
        anyhow!("{} cannot be stored as certificates of key {}: {error}", secret_file::name(file), key.id)
    })
}

/// The longest name in the audit log, in characters.
const NAME: usize = 200;

/// What the audit log says.
fn summary(chain: &CertificateChain) -> String {
    let subject: String = chain.subject().chars().take(NAME).collect();
    let others = chain.certificates().len() - 1;
    format!("{subject}, until {}, and {others} of its issuers", chain.not_after())
}

/// Warns of times at which the key signs and its certificate is not valid.
fn note_times(name: &str, key: &KeyRow, chain: &CertificateChain) {
    let since = time_of_day().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Time::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    if let Some(number) = chain.invalid_at(now) {
        log::warn!("certificate {number} of {name} is not valid now");
    }
    if key.limits.not_after.is_some_and(|until| chain.not_after() < until) {
        log::warn!(
            "the certificate of {name} expires at {}, before the key does: 'signwave keys set' can end both at once",
            chain.not_after()
        );
    }
}
