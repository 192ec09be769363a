//! Where it is measured: databases in a folder of their own, with keys made once.

use std::{
    fs,
    panic::resume_unwind,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use super::super::{
    context::Context, keys::generate::generate_keys, raw::RawSpeed, run::run_watched, seed::add_records,
};
use crate::{
    actors::{Ending, Mode, Progress},
    config::Settings,
    domain::Fingerprint,
    signer::{Engine, Keyring, MasterKey, NoopSigner, OpenSigner, PublicKey, Signer, SignerError},
    store::{DatabaseUrl, Store},
};

/// Bytes per payload.
const PAYLOAD: usize = 256;

/// A folder for databases, which is removed in the end.
pub struct Lab<'a> {
    context: &'a Context,
    folder: TempDir,
    engine: Engine,
}

/// A database with keys and records, to be copied for each measurement.
pub struct Template {
    path: PathBuf,
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

impl<'a> Lab<'a> {
    /// Measures in a new folder inside `folder`: on the device that is to be measured.
    pub fn new(context: &'a Context, folder: &Path, engine: Engine) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("signwave-bench-").tempdir_in(folder);
        Ok(Self { context, folder: folder.context("cannot make a folder to measure in")?, engine })
    }

    /// A database with `records` records and `keys` new keys.
    pub fn template(&self, records: u64, keys: usize, bits: u32) -> Result<Template> {
        let path = self.folder.path().join(format!("template-{records}"));
        let (url, master) = (DatabaseUrl::Sqlite(path.clone()), MasterKey::generate());
        let store = self.context.create_at(url)?.store;
        generate_keys(self.context, store.as_ref(), &master, keys, bits)?;
        add_records(self.context, store.as_ref(), records, PAYLOAD)?;
        // The last connection to close writes the log back: the file alone is the database then.
        Ok(Template { path, keyring: Arc::new(Keyring::new(self.engine, master)), records })
    }

    /// Signs a copy of `template` to the end.
    pub fn sign(&self, template: &Template, settings: &Settings, signing: Signing) -> Result<Measured> {
        let path = self.folder.path().join("measured");
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", path.display())); // of the run before
        }
        fs::copy(&template.path, &path)?;
        let database = self.context.open_at(DatabaseUrl::Sqlite(path))?;
        let opener: Arc<dyn OpenSigner> = match signing {
            Signing::Real => template.keyring.clone(),
            Signing::Noop => Arc::new(NoopOpener),
        };
        let progress = Arc::new(Progress::default());
        let (watched, records) = (Arc::clone(&progress), template.records);
        let watch = thread::spawn(move || watch(&watched, records));
        let cpu = cpu_seconds();
        let run = run_watched(self.context, &database, settings, opener, Mode::Drain, progress)?;
        ensure!(run.ending != Ending::Stopped, "stopped in the middle of a measurement");
        ensure!(run.progress.signed() == template.records, "not every record was signed");
        let cpu_seconds = cpu_seconds() - cpu;
        let last_to_first = watch.join().unwrap_or_else(|panic| resume_unwind(panic));
        Ok(Measured { seconds: run.took.as_secs_f64(), cpu_seconds, last_to_first, store: database.store })
    }

    /// The raw speed of a template's keys.
    pub fn raw_speed(&self, template: &Template, settings: &Settings) -> Result<RawSpeed> {
        let database = self.context.open_at(DatabaseUrl::Sqlite(template.path.clone()))?;
        RawSpeed::open(database.store.as_ref(), template.keyring.as_ref(), settings)
    }
}

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Watches until all `records` are signed; returns the rate in the last tenth ÷ that in the first.
fn watch(progress: &Progress, records: u64) -> f64 {
    let begun = Instant::now();
    let until = |tenths| {
        while progress.signed() * 10 < records * tenths {
            thread::sleep(Duration::from_millis(1));
        }
        (begun.elapsed().as_secs_f64(), progress.signed())
    };
    let ((t1, n1), (t9, n9), (end, n)) = (until(1), until(9), until(10));
    ((n - n9) as f64 / (end - t9)) / (n1 as f64 / t1)
}

struct NoopOpener;

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
