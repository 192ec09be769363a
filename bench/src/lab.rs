//! One measurement: a run of the service over a copy of a database with keys and records.

use std::{
    panic::resume_unwind,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use signwave::{
    actors::{self, Counters, Ending, Mode, Parts},
    cli::raw::RawSpeed,
    config::Settings,
    domain::{By, InsertVerdict, KeyLimits, KeyMaterial, Who},
    signer::{Engine, Keyring, MasterKey, OpenSigner, generate, seal},
    store::{self, NewKey, NewRecord, OnConflict, Store},
};

use crate::{noop::NoopOpener, scratch::Scratch};

/// The databases, and the engine that signs in them.
pub struct Lab {
    /// The databases.
    pub scratch: Scratch,
    /// The engine that signs and verifies.
    pub engine: Engine,
}

/// A database with keys and records, to be copied for each measurement.
pub struct Template {
    name: String,
    keyring: Arc<Keyring>,
    /// The number of records.
    pub records: u64,
}

/// The signer of a measurement.
#[derive(Clone, Copy)]
pub enum Signers {
    /// The engine of the lab.
    Real,
    /// This engine.
    Of(Engine),
    /// The no-op signer: signatures are zeros.
    Noop,
}

/// One run of the service.
pub struct Measured {
    /// From its start to its end, in seconds.
    pub seconds: f64,
    /// Processor time of this process during the run, in seconds.
    pub cpu_seconds: f64,
    /// Processor time of the database server during the run, in seconds, if the server is on this host.
    pub server_cpu_seconds: Option<f64>,
    /// The rate in its last tenth ÷ the rate in its first.
    pub last_to_first: f64,
}

impl Template {
    /// The name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Opens the keys that are sealed in the database.
    pub fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.keyring)
    }

    /// The opener of the keys.
    pub fn opener(&self, signers: Signers) -> Arc<dyn OpenSigner> {
        match signers {
            Signers::Real => self.keyring.clone(),
            Signers::Of(engine) => Arc::new(self.keyring.with_engine(engine)),
            Signers::Noop => Arc::new(NoopOpener),
        }
    }
}

impl Lab {
    /// Makes a database with `records` records and `keys` new keys.
    pub fn template(&self, records: u64, keys: usize, bits: u32) -> Result<Template> {
        let (name, master) = (self.scratch.database(None)?, MasterKey::generate());
        store::migrate(&self.scratch.url(&name)?)?;
        // The last connection that closes writes the SQLite log back, so that the file alone is the database then.
        let store = self.open(&name)?;
        add_keys(store.as_ref(), &master, keys, bits)?;
        add_records(store.as_ref(), 1, records)?;
        Ok(Template { name, keyring: Arc::new(Keyring::new(self.engine, master)), records })
    }

    /// Makes a copy of `template`, and returns its name.
    pub fn copy(&self, template: &Template) -> Result<String> {
        self.scratch.database(Some(&template.name))
    }

    /// Opens a database.
    pub fn open(&self, name: &str) -> Result<Arc<dyn Store>> {
        Ok(store::open(&self.scratch.url(name)?)?)
    }

    /// Signs all records of a copy of `template`.
    pub fn sign(&self, template: &Template, settings: &Settings, signers: Signers) -> Result<Measured> {
        self.sign_with(template, template.opener(signers), settings)
    }

    /// Signs all records of a copy of `template`, whose keys `opener` opens.
    pub fn sign_with(
        &self,
        template: &Template,
        opener: Arc<dyn OpenSigner>,
        settings: &Settings,
    ) -> Result<Measured> {
        let name = self.copy(template)?;
        let measured = self.drain(&name, opener, template.records, settings)?;
        self.scratch.remove(&name)?;
        Ok(measured)
    }

    /// Signs the `records` records that wait in a copy of `template`.
    pub fn sign_at(
        &self,
        name: &str,
        template: &Template,
        records: u64,
        settings: &Settings,
        signers: Signers,
    ) -> Result<Measured> {
        self.drain(name, template.opener(signers), records, settings)
    }

    fn drain(
        &self,
        name: &str,
        opener: Arc<dyn OpenSigner>,
        records: u64,
        settings: &Settings,
    ) -> Result<Measured> {
        let url = self.scratch.url(name)?;
        let store = store::open_with(&url, store::CONNECTIONS, &settings.anchor)?;
        let parts = Parts::new(settings.clone(), opener, Mode::Drain);
        let (counters, watched) = (Arc::clone(&parts.counters), Arc::clone(&parts.counters));
        let watch = thread::spawn(move || watch(&watched, records));
        let (cpu, server) = (cpu_seconds(), self.scratch.server_cpu_seconds());
        let begun = Instant::now();
        drain(parts, &store)?;
        let seconds = begun.elapsed().as_secs_f64();
        ensure!(counters.signed() == records, "not every record was signed");
        let cpu_seconds = cpu_seconds() - cpu;
        let server = self.scratch.server_cpu_seconds().zip(server).map(|(after, before)| after - before);
        let last_to_first = watch.join().unwrap_or_else(|panic| resume_unwind(panic));
        Ok(Measured { seconds, cpu_seconds, server_cpu_seconds: server, last_to_first })
    }

    /// The raw speed of a template's keys with an engine.
    pub fn raw_speed(&self, template: &Template, settings: &Settings, engine: Engine) -> Result<RawSpeed> {
        let opener = template.opener(Signers::Of(engine));
        RawSpeed::open(self.open(&template.name)?.as_ref(), opener.as_ref(), settings)
    }
}

/// Signs all waiting records.
///
/// # Errors
/// The errors of the run, and a signal that stopped it.
pub fn drain(parts: Parts, store: &Arc<dyn Store>) -> Result<()> {
    let stop = parts.stop.clone();
    let ending = actix_rt::System::new().block_on(async {
        let signals = actix_rt::spawn(stop.clone().on_signals());
        let ending = actors::run(parts, Arc::clone(store)).await;
        signals.abort();
        ending
    })?;
    // The threads of the actors close the database shortly after the run. This may write much data.
    while Arc::strong_count(store) > 1 {
        thread::sleep(Duration::from_millis(1));
    }
    ensure!(ending != Ending::Stopped, "stopped in the middle of a measurement");
    Ok(())
}

fn add_keys(store: &dyn Store, master: &MasterKey, count: usize, bits: u32) -> Result<()> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = |core| (core..count).step_by(cores).map(|_| generate(bits)).collect::<Vec<_>>();
    let keys: Vec<_> = thread::scope(|scope| {
        let making: Vec<_> = (0..cores).map(|core| scope.spawn(move || share(core))).collect();
        let made = making.into_iter().map(|keys| keys.join().unwrap_or_else(|panic| resume_unwind(panic)));
        made.flatten().collect()
    });
    let by = By::without_request(Who::CommandLine("bench".to_owned()));
    for key in keys {
        let key = key?;
        let public_key = key.public_key();
        let row = NewKey {
            fingerprint: public_key.fingerprint(),
            public_key: public_key.spki().to_vec(),
            bits: public_key.bits(),
            material: KeyMaterial::Sealed(seal(master, &key)?),
            limits: KeyLimits::default(),
        };
        store.add_key(&row, &by)?;
    }
    Ok(())
}

/// Adds the records `bench-{first}` to `bench-{last}`, of 256 bytes each.
pub fn add_records(store: &dyn Store, first: u64, last: u64) -> Result<()> {
    for first in (first..=last).step_by(1000) {
        let rows: Vec<_> = (first..=last.min(first + 999))
            .map(|number| (format!("bench-{number}"), number.to_be_bytes().repeat(32)))
            .collect();
        let records: Vec<_> =
            rows.iter().map(|(name, payload)| NewRecord { external_id: Some(name), payload }).collect();
        store.insert_records(&records, OnConflict::Stop)?;
    }
    Ok(())
}

/// Adds a record to a database that a service signs, and waits for the signature. Returns when the record was there, and
/// when the signature was, or at most 0.2 ms later.
pub fn sign_one(store: &dyn Store) -> Result<(Instant, Instant)> {
    let record = NewRecord { external_id: None, payload: b"latency" };
    let verdicts = store.insert_records(&[record], OnConflict::Stop)?;
    let inserted = Instant::now();
    let Some(InsertVerdict::Inserted(id)) = verdicts.first().copied() else {
        bail!("the record was not inserted")
    };
    while store.batch_of(id)?.is_none() {
        ensure!(inserted.elapsed() < Duration::from_secs(10), "a record was not signed within 10 s");
        thread::sleep(Duration::from_micros(200));
    }
    Ok((inserted, Instant::now()))
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
            // A shorter interval would use a measurable part of the processor.
            thread::sleep(Duration::from_millis(5));
        }
        (begun.elapsed().as_secs_f64(), counters.signed())
    };
    let ((t1, n1), (t9, n9), (end, n)) = (until(1), until(9), until(10));
    ((n - n9) as f64 / (end - t9)) / (n1 as f64 / t1)
}
