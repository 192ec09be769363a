//! `signwave keys generate`.

use std::{
    io::{self, Write},
    num::NonZeroUsize,
    panic::resume_unwind,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use crossbeam_channel::{Sender, bounded};

use crate::{
    cli::{context::Context, progress::Unit, user},
    domain::{Fingerprint, KeyMaterial},
    signer::{self, MasterKey, PrivateKey, SignerError, seal},
    store::{AddKeyVerdict, NewKey, Store},
};

/// Make new keys and print their fingerprints.
#[derive(Args, Debug)]
#[command(after_help = "\
The keys are sealed under the master key. For an SQLite database, it is made on first use.

Examples:
  signwave keys generate --count 100
  signwave keys generate --bits 4096")]
pub struct Generate {
    /// How many keys
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN)]
    count: NonZeroUsize,
    /// Size: 2048, 3072, 4096 or 8192 bits
    #[arg(long, value_name = "BITS", default_value_t = 2048)]
    bits: u32,
}

impl Generate {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let database = context.open()?;
        let master = context.master_key(&database)?;
        let print = |fingerprint| {
            let mut out = io::stdout().lock();
            writeln!(out, "{fingerprint}").and_then(|()| out.flush())
        };
        generate_keys(context, database.store.as_ref(), &master, self.count.get(), self.bits, &print)
    }
}

/// Makes `count` keys on all cores. Each key is stored as soon as it is made, and then shown, so that after an
/// interruption at most one stored key has not been shown.
pub fn generate_keys(
    context: &Context,
    store: &dyn Store,
    master: &MasterKey,
    count: usize,
    bits: u32,
    show: &dyn Fn(Fingerprint) -> io::Result<()>,
) -> Result<()> {
    let progress = context.progress("generating keys", count as u64, Unit::Pieces);
    let threads = thread::available_parallelism().map_or(1, usize::from).min(count);
    let (to_store, keys) = bounded(threads);
    let begun = AtomicUsize::new(0);
    let generate = |to_store: Sender<NewKey>| -> Result<(), SignerError> {
        while begun.fetch_add(1, Ordering::Relaxed) < count {
            if to_store.send(sealed(master, &signer::generate(bits)?)?).is_err() {
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

/// The row of a private key.
pub fn sealed(master: &MasterKey, key: &PrivateKey) -> Result<NewKey, SignerError> {
    let public_key = key.public_key();
    Ok(NewKey {
        fingerprint: public_key.fingerprint(),
        public_key: public_key.spki().to_vec(),
        bits: public_key.bits(),
        material: KeyMaterial::Sealed(seal(master, key)?),
    })
}

/// Adds a key that must be new.
pub fn add(store: &dyn Store, key: &NewKey) -> Result<()> {
    match store.add_key(key, &user::by())? {
        AddKeyVerdict::Added(_) => Ok(()),
        AddKeyVerdict::AlreadyThere(id) => bail!("key {} is already stored, as key {id}", key.fingerprint),
    }
}
