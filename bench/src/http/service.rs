//! The service under measurement: the binary that users run, as a process.

use std::{
    fs,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use signwave::store::{self, DatabaseUrl, Status, Store};
use tempfile::{NamedTempFile, TempDir};

use crate::{lab::Lab, product};

/// A database with keys, and the folder in which commands for it run.
pub struct Place {
    folder: TempDir,
    url: String,
    store: Arc<dyn Store>,
}

/// How long the work on a database may take.
pub const LIMIT: Duration = Duration::from_secs(300);

/// A service at work. It is killed when this is dropped.
pub struct Service {
    /// Where it answers.
    pub address: SocketAddr,
    child: Child,
}

impl Place {
    /// A new database with `keys` keys and no record.
    pub fn new(lab: &Lab, keys: u32) -> Result<Self> {
        let name = lab.scratch.database(None)?;
        store::migrate(&lab.scratch.url(&name)?)?;
        let place = Self::at(lab, &name)?;
        place.run(&["keys", "init-master", "master"])?;
        place.run(&["seed", "--keys", &keys.to_string()])?;
        Ok(place)
    }

    /// A database that exists, for services that do not sign.
    pub fn at(lab: &Lab, name: &str) -> Result<Self> {
        let url = match lab.scratch.url(name)? {
            DatabaseUrl::Sqlite(path) => {
                format!("sqlite://{}", path.canonicalize().unwrap_or(path).display())
            }
            DatabaseUrl::Postgres(url) => url,
        };
        Ok(Self { folder: TempDir::new()?, url, store: lab.open(name)? })
    }

    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(product()?);
        command.args(arguments).current_dir(&self.folder).env("DATABASE_URL", &self.url).stdin(Stdio::null());
        let master = self.folder.path().join("master");
        if master.exists() {
            command.env("SIGNWAVE_MASTER_KEY_FILE", master);
        }
        Ok(command)
    }

    /// Runs a command, and returns what it prints.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let output =
            self.command(arguments)?.output().context("cannot run signwave: scripts/bench builds it")?;
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Runs a command, and throws away what it prints.
    pub fn discard(&self, arguments: &[&str]) -> Result<()> {
        let status = self.command(arguments)?.stdout(Stdio::null()).status()?;
        ensure!(status.success(), "{arguments:?} failed");
        Ok(())
    }

    /// The database.
    pub fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// How many records are signed.
    pub fn signed(&self) -> Result<u64> {
        Ok(self.store.status()?.signed)
    }

    /// Waits until the database has exactly `goal` of what `count` counts. Looking takes time from the database, so it is done
    /// more often only towards the end.
    pub fn until(&self, goal: u64, count: impl Fn(&Status) -> u64) -> Result<()> {
        let begun = Instant::now();
        loop {
            let count = count(&self.store.status()?);
            ensure!(count <= goal, "{count} instead of {goal}");
            if count == goal {
                return Ok(());
            }
            ensure!(begun.elapsed() < LIMIT, "it takes longer than {LIMIT:?}");
            let left = begun.elapsed().mul_f64((goal - count) as f64 / count.max(1) as f64);
            thread::sleep((left / 4).clamp(Duration::from_millis(20), Duration::from_secs(1)));
        }
    }

    /// A token that may submit.
    pub fn token(&self) -> Result<String> {
        self.run(&["tokens", "create", "--name", "bench", "--scope", "submit"])
    }

    /// Starts a service, and waits until it answers.
    pub fn serve(&self, arguments: &[&str]) -> Result<Service> {
        let log = NamedTempFile::new_in(&self.folder)?;
        let mut command = self.command(&[&["serve", "--listen", "127.0.0.1:0"], arguments].concat())?;
        let mut child = command.stdout(Stdio::null()).stderr(log.reopen()?).spawn()?;
        let begun = Instant::now();
        loop {
            let text = fs::read_to_string(log.path())?;
            let address = text.lines().find_map(|line| line.split_once("the API answers at http://"));
            if let Some((_, address)) = address {
                return Ok(Service { address: address.trim().parse()?, child });
            }
            if begun.elapsed() > Duration::from_secs(30) || child.try_wait()?.is_some() {
                let _ = child.kill(); // it may have ended
                bail!("the service does not answer: {text}");
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Service {
    /// Processor seconds that the service has used so far: fields 14 and 15 of proc(5).
    pub fn cpu_seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<_> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
        let ticks = |field: usize| fields.get(field - 3).and_then(|ticks| ticks.parse::<u64>().ok());
        let (user, system) = (ticks(14).context("no user time")?, ticks(15).context("no system time")?);
        Ok((user + system) as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// The most memory that it has used so far, in MiB.
    pub fn peak_mib(&self) -> Result<f64> {
        Ok(self.memory_kib("VmHWM:")? / 1024.0)
    }

    /// The memory that it uses now, in KiB.
    pub fn resident_kib(&self) -> Result<f64> {
        self.memory_kib("VmRSS:")
    }

    fn memory_kib(&self, what: &'static str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let value = status.lines().find_map(|line| line.strip_prefix(what)?.trim().strip_suffix(" kB"));
        Ok(value.context(what)?.trim().parse()?)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}
