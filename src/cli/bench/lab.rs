//! Where it is measured: databases in a folder of their own, with keys made once.

use std::{
    fs,
    panic::resume_unwind,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use super::super::{
    context::Context, keys::generate::generate_keys, raw::RawSpeed, run::run, seed::add_records,
};
use crate::{
    actors::{Counters, Ending, Mode, Parts},
    config::{Checking, Settings},
    domain::Fingerprint,
    signer::{Engine, Keyring, MasterKey, NoopSigner, OpenSigner, PublicKey, Signer, SignerError},
    store::{DatabaseUrl, Scratch, Store},
};

/// Bytes per payload.
pub const PAYLOAD: usize = 256;

/// A place for databases, which are removed in the end.
pub struct Lab<'a> {
    context: &'a Context,
    place: Place,
    engine: Engine,
}

enum Place {
    Folder(TempDir),
    Server(Scratch),
}

/// A database with keys and records, to be copied for each measurement.
pub struct Template {
    url: DatabaseUrl,
    keyring: Arc<Keyring>,
    /// How many records there are.
    pub records: u64,
}

/// One run of the service over a copy of a template.
pub struct Measured {
    /// From its start to its end, in seconds.
    pub seconds: f64,
    /// Processor time of the whole process meanwhile, in seconds.
    pub cpu_seconds: f64,
    /// Processor time of the database's server meanwhile, if it is one on this host, in seconds.
    pub server_cpu_seconds: Option<f64>,
    /// The rate in its last tenth ÷ the rate in its first.
    pub last_to_first: f64,
    /// The database, with all its records signed.
    pub store: Arc<dyn Store>,
}

/// What signs in a measurement.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// The engine.
    Real,
    /// Nothing: signatures are zeros.
    Noop,
}

impl Signing {
    /// What opens keys for it.
    pub fn opener(self, template: &Template) -> Arc<dyn OpenSigner> {
        match self {
            Self::Real => template.keyring.clone(),
            Self::Noop => Arc::new(NoopOpener),
        }
    }

    /// `settings` for it: what the no-op signer makes would pass no check.
    pub fn settings(self, settings: &Settings) -> Settings {
        match self {
            Self::Real => settings.clone(),
            Self::Noop => Settings { checking: Checking::Never, ..settings.clone() },
        }
    }
}

impl<'a> Lab<'a> {
    /// Measures on the server that the context's database is on, or else in a new folder inside
    /// `folder`: on the device that is to be measured.
    pub fn new(context: &'a Context, folder: &Path, engine: Engine) -> Result<Self> {
        let place = match context.url()? {
            DatabaseUrl::Postgres(url) => Place::Server(Scratch::new(&url)?),
            DatabaseUrl::Sqlite(_) => {
                let folder = tempfile::Builder::new().prefix("signwave-bench-").tempdir_in(folder);
                Place::Folder(folder.context("cannot make a folder to measure in")?)
            }
        };
        Ok(Self { context, place, engine })
    }

    /// Whether it measures on a server.
    pub fn is_server(&self) -> bool {
        matches!(self.place, Place::Server(_))
    }

    /// A database with `records` records and `keys` new keys.
    pub fn template(&self, records: u64, keys: usize, bits: u32) -> Result<Template> {
        let url = match &self.place {
            Place::Folder(folder) => DatabaseUrl::Sqlite(folder.path().join(format!("template-{records}"))),
            Place::Server(scratch) => scratch.database(None)?,
        };
        let (store, master) = (self.context.create_at(url.clone())?.store, MasterKey::generate());
        generate_keys(self.context, store.as_ref(), &master, keys, bits, &|_| Ok(()))?;
        add_records(self.context, store.as_ref(), (1, records), PAYLOAD)?;
        // The last connection to close writes an SQLite log back: the file alone is the database then.
        Ok(Template { url, keyring: Arc::new(Keyring::new(self.engine, master)), records })
    }

    /// A copy of `template`; on disk there is one at a time.
    pub fn copy(&self, template: &Template) -> Result<DatabaseUrl> {
        match (&self.place, &template.url) {
            (Place::Folder(folder), DatabaseUrl::Sqlite(template)) => {
                let path = folder.path().join("measured");
                for suffix in ["", "-wal", "-shm"] {
                    let _ = fs::remove_file(format!("{}{suffix}", path.display())); // of the run before
                }
                fs::copy(template, &path)?;
                Ok(DatabaseUrl::Sqlite(path))
            }
            (Place::Server(scratch), template) => Ok(scratch.database(Some(template))?),
            (Place::Folder(_), DatabaseUrl::Postgres(_)) => bail!("the template is on a server"),
        }
    }

    /// Removes a copy that was measured.
    pub fn discard(&self, url: &DatabaseUrl) -> Result<()> {
        match &self.place {
            Place::Folder(_) => Ok(()),
            Place::Server(scratch) => Ok(scratch.drop_database(url)?),
        }
    }

    /// Processor seconds of the server so far.
    pub fn server_cpu_seconds(&self) -> Option<f64> {
        match &self.place {
            Place::Folder(_) => None,
            Place::Server(scratch) => scratch.server_cpu_seconds(),
        }
    }

    /// Signs a copy of `template` to the end.
    pub fn sign(&self, template: &Template, settings: &Settings, signing: Signing) -> Result<Measured> {
        let url = self.copy(template)?;
        let measured = self.sign_at(&url, template, template.records, settings, signing)?;
        self.discard(&url)?;
        Ok(measured)
    }

    /// Signs the `records` records that wait in the database at `url`, a copy of `template`.
    pub fn sign_at(
        &self,
        url: &DatabaseUrl,
        template: &Template,
        records: u64,
        settings: &Settings,
        signing: Signing,
    ) -> Result<Measured> {
        let database = self.context.open_at(url.clone())?;
        let parts = Parts::new(signing.settings(settings), signing.opener(template), Mode::Drain);
        let watched = Arc::clone(&parts.counters);
        let watch = thread::spawn(move || watch(&watched, records));
        let (cpu, server) = (cpu_seconds(), self.server_cpu_seconds());
        let run = run(self.context, &database, parts)?;
        ensure!(run.ending != Ending::Stopped, "stopped in the middle of a measurement");
        ensure!(run.counters.signed() == records, "not every record was signed");
        let cpu_seconds = cpu_seconds() - cpu;
        let server_cpu_seconds = self.server_cpu_seconds().zip(server).map(|(after, before)| after - before);
        let last_to_first = watch.join().unwrap_or_else(|panic| resume_unwind(panic));
        let (seconds, store) = (run.took.as_secs_f64(), database.store);
        Ok(Measured { seconds, cpu_seconds, server_cpu_seconds, last_to_first, store })
    }

    /// The raw speed of a template's keys.
    pub fn raw_speed(&self, template: &Template, settings: &Settings) -> Result<RawSpeed> {
        let database = self.context.open_at(template.url.clone())?;
        RawSpeed::open(database.store.as_ref(), template.keyring.as_ref(), settings)
    }
}

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Watches until all `records` are signed; returns the rate in the last tenth ÷ that in the first.
fn watch(counters: &Counters, records: u64) -> f64 {
    let begun = Instant::now();
    let until = |tenths| {
        while counters.signed() * 10 < records * tenths {
            // More often would take a measurable part of the machine.
            thread::sleep(Duration::from_millis(5));
        }
        (begun.elapsed().as_secs_f64(), counters.signed())
    };
    let ((t1, n1), (t9, n9), (end, n)) = (until(1), until(9), until(10));
    ((n - n9) as f64 / (end - t9)) / (n1 as f64 / t1)
}

/// Opens every key as one that does nothing.
pub struct NoopOpener;

impl OpenSigner for NoopOpener {
    fn open(
        &self,
        _: &Fingerprint,
        public_key: &[u8],
        _: Option<&[u8]>,
    ) -> Result<Box<dyn Signer>, SignerError> {
        Ok(Box::new(NoopSigner::new(PublicKey::from_spki(public_key)?)))
    }
}
