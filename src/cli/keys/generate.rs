//! `signwave keys generate`.

use std::{
    io::{self, Write},
    num::NonZeroUsize,
    panic::resume_unwind,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context as _, Result};
use clap::Args;
use crossbeam_channel::{Sender, bounded};

use super::{
    limits::Limits,
    made_in_token,
    rows::{NewKeys, add, sealed},
};
use crate::{
    cli::{context::Context, progress::Unit},
    domain::Fingerprint,
    signer::{self, MasterKeys, SignerError},
    store::{NewKey, Store},
};

/// Make new keys and print their fingerprints.
#[derive(Args, Debug)]
#[command(after_help = "\
The keys are sealed under the master key. For an SQLite database, it is made on first use. With
--custodian, a hardware token makes them, and they never leave it.

Examples:
  signwave keys generate --count 100
  signwave keys generate --bits 4096
  signwave keys generate --custodian hsm1 --count 4
  signwave keys generate --count 12 --max-signatures 1000000 --not-after 2028-01-01T00:00:00Z")]
pub struct Generate {
    /// How many keys
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN)]
    count: NonZeroUsize,
    /// Size: 2048, 3072, 4096 or 8192 bits
    #[arg(long, value_name = "BITS", default_value_t = 2048)]
    bits: u32,
    /// The hardware token that makes and keeps the keys: NAME of [custody.NAME] in the settings file
    #[arg(long, value_name = "NAME")]
    custodian: Option<String>,
    #[command(flatten)]
    limits: Limits,
}

impl Generate {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let limits = self.limits.of_new_key()?;
        let new = NewKeys { count: self.count.get(), bits: self.bits, limits };
        let print = |fingerprint| {
            let mut out = io::stdout().lock();
            writeln!(out, "{fingerprint}").and_then(|()| out.flush())
        };
        if let Some(custodian) = &self.custodian {
            return made_in_token::generate(context, custodian, &new, &print);
        }
        let database = context.open()?;
        let masters = context.master_keys(&database)?;
        generate_keys(context, database.store.as_ref(), &masters, &new, &print)
    }
}

/// Makes keys on all cores. Each key is stored as soon as it is made, and then shown, so that after an
/// interruption at most one stored key has not been shown.
pub fn generate_keys(
    context: &Context,
    store: &dyn Store,
    masters: &MasterKeys,
    new: &NewKeys,
    show: &dyn Fn(Fingerprint) -> io::Result<()>,
) -> Result<()> {
    let NewKeys { count, bits, limits } = *new;
    let progress = context.progress("generating keys", count as u64, Unit::Pieces);
    let threads = thread::available_parallelism().map_or(1, usize::from).min(count);
    let (to_store, keys) = bounded(threads);
    let begun = AtomicUsize::new(0);
    let generate = |to_store: Sender<NewKey>| -> Result<(), SignerError> {
        while begun.fetch_add(1, Ordering::Relaxed) < count {
            let key = NewKey { limits, ..sealed(masters, &signer::generate(bits)?)? };
            if to_store.send(key).is_err() {
                break; // the store has failed, and returns the error below
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let (to_store, generate) = (to_store.clone(), &generate);
                scope.spawn(move || generate(to_store))
            })
            .collect();
        // Only the workers can send from here on, so that `keys` ends when all of them have ended.
        drop(to_store);
        let stored = keys.iter().try_for_each(|key| {
            add(store, &key)?;
            progress.add(1);
            let shown = progress.aside(|| show(key.fingerprint));
            shown.with_context(|| format!("key {} is stored, but could not be printed", key.fingerprint))
        });
        drop(keys);
        for worker in workers {
            worker.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        }
        stored
    })?;
    progress.finish();
    Ok(())
}
