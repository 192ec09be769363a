//! `signwave keys rotate-master`.

use std::{
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use crate::{
    cli::{context::Context, failure::Usage, master_key::make, user},
    formats::shown,
    signer::{MasterKey, MasterKeySource, MasterKeys, SignerError},
    store::{Reseal, ResealVerdict, ResealWebhooksVerdict, SealedLedgerKey, Store},
};

/// Change the master key: seal every key and every secret under the next one.
#[derive(Args, Debug)]
#[command(after_help = "\
Makes the next master key, unless it is there, and seals every key in the database under it, whatever
the state of the key, in one transaction, then the secrets of all webhooks. After an interruption,
run it again. Neither master key file is changed. A key that opens with neither of them is an error,
and nothing is changed.

Services read the next master key when they need it, without a restart, if they are told where it
is as this command is. With several machines, make the next master key with 'init-master' and
copy it to all of them first. When this command has nothing left to do, put the next master key in
the place of the current one.

Example:
  signwave keys rotate-master                          makes signwave.db.master.next
  signwave keys rotate-master                          has nothing left to do
  cp signwave.db.master /media/safe/                   backups from before need it
  mv signwave.db.master.next signwave.db.master")]
pub struct RotateMaster {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl RotateMaster {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let database = context.open()?;
        let sources = context.master_key_sources(&database)?;
        if !sources.has_sealed()? {
            bail!("no key and no secret in this database is sealed: there is nothing to change");
        }
        let masters = sources.master_keys()?;
        let store = database.store.as_ref();
        // A key that does not open is found before a master key is made.
        reseal_all(store, &masters, &MasterKey::generate(), Act::Try)?;
        let next = next(&masters)?;
        let (resealed, already) = reseal_all(store, &masters, &next, Act::Store)?;
        if self.json {
            let row = json!({"resealed": resealed, "already": already, "master_key": next.id().to_string()});
            writeln!(io::stdout().lock(), "{}", shown::json(&row))?;
        } else {
            log::info!(
                "{resealed} keys and secrets are resealed under master key {}; {already} were before",
                next.id()
            );
        }
        log::info!("{}", what_next(&masters, resealed));
        Ok(())
    }
}

/// The next master key. If it is to be in a file that does not exist, it is made there.
fn next(masters: &MasterKeys) -> Result<Arc<MasterKey>> {
    if let (_, Some(source @ MasterKeySource::File(path))) = masters.sources()
        && source.is_missing()
    {
        make(path, "next master key")?;
    }
    masters.next()?.ok_or_else(|| {
        Usage("no place for the next master key is given: name a file with --next-master-key-file".to_owned())
            .into()
    })
}

/// What to do with the keys that are resealed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Try,
    Store,
}

/// Seals every key under `to`. Returns how many were resealed, and how many were sealed under it already.
fn reseal_all(store: &dyn Store, masters: &MasterKeys, to: &MasterKey, act: Act) -> Result<(usize, usize)> {
    let mut refused = None;
    let verdict = store.reseal_keys(
        &to.id().to_string(),
        &mut |fingerprint, sealed| match masters.reseal(to, fingerprint, sealed) {
            Ok(Some(resealed)) if act == Act::Store => Reseal::Replace(resealed),
            Ok(_) => Reseal::Keep,
            Err(error) => {
                refused = Some(error);
                Reseal::Refuse
            }
        },
        &user::by(),
    )?;
    match verdict {
        ResealVerdict::Done { replaced, kept } => {
            let (webhooks, already) = reseal_webhooks(store, masters, to, act)?;
            let (ledger, before) = reseal_ledger_key(store, masters, to, act)?;
            Ok((replaced + webhooks + ledger, kept + already + before))
        }
        ResealVerdict::Refused(key) => {
            let reason = refused.map(|error: SignerError| format!(": {error}")).unwrap_or_default();
            bail!("no key was resealed, because key {key} does not open{reason}")
        }
    }
}

/// The same with the secrets of webhooks, in another transaction. If we die in between, the next run does the rest.
fn reseal_webhooks(
    store: &dyn Store,
    masters: &MasterKeys,
    to: &MasterKey,
    act: Act,
) -> Result<(usize, usize)> {
    let mut refused = None;
    let verdict = store.reseal_webhooks(
        &to.id().to_string(),
        &mut |name, sealed| match masters.reseal_webhook_secret(to, name, sealed) {
            Ok(Some(resealed)) if act == Act::Store => Reseal::Replace(resealed),
            Ok(_) => Reseal::Keep,
            Err(error) => {
                refused = Some(error);
                Reseal::Refuse
            }
        },
        &user::by(),
    )?;
    match (verdict, refused) {
        (ResealWebhooksVerdict::Done { replaced, kept }, _) => Ok((replaced, kept)),
        (ResealWebhooksVerdict::Refused(_), Some(error)) => Err(error.into()),
        (ResealWebhooksVerdict::Refused(name), None) => {
            bail!("no secret was resealed, because that of webhook {name} does not open")
        }
    }
}

/// The same with the key of the ledger.
fn reseal_ledger_key(
    store: &dyn Store,
    masters: &MasterKeys,
    to: &MasterKey,
    act: Act,
) -> Result<(usize, usize)> {
    let Some(SealedLedgerKey { public, sealed }) = store.ledger_key()? else { return Ok((0, 0)) };
    let Some(resealed) = masters.reseal_ledger_key(to, &public, &sealed)? else { return Ok((0, 1)) };
    let is_replaced = act == Act::Store && store.replace_ledger_key(&sealed, &resealed)?;
    Ok((usize::from(is_replaced), 0))
}

fn what_next(masters: &MasterKeys, resealed: usize) -> String {
    let again = if resealed > 0 {
        "run this again, until no key is left that was added in the meantime; then "
    } else {
        ""
    };
    let place = match masters.sources() {
        (Some(MasterKeySource::File(current)), Some(MasterKeySource::File(next))) => {
            let name = |path: &Path| shown::shown(&path.display().to_string());
            format!("keep a copy of '{0}', and run 'mv {1} {0}'", name(current), name(next))
        }
        _ => "keep a copy of the current master key, and start every service with the next one in its place"
            .to_owned(),
    };
    format!("next: {again}{place}; backups from before need the old master key")
}
