//! What a command works with: the settings, the database, the master key, the progress bars.

use std::{env, sync::Arc};

use anyhow::{Result, bail};
use indicatif::MultiProgress;

use super::{
    config_file::{ConfigFile, MASTER_KEY},
    failure::Usage,
    limits, master_key,
    options::{Common, Reading, Serving, Signing},
    progress::{Progress, Unit},
};
use crate::{
    config::{Roles, Settings},
    signer::{Engine, MasterKey},
    store::{self, DatabaseUrl, Store},
};

/// Everything that was said on the command line, in the environment and in the settings file.
pub struct Context {
    common: Common,
    file: ConfigFile,
    bars: MultiProgress,
}

/// A database that is open.
pub struct Database {
    /// Where it is.
    pub url: DatabaseUrl,
    /// Its door.
    pub store: Arc<dyn Store>,
}

impl Context {
    /// Puts the sources together.
    pub fn new(common: Common, file: ConfigFile, bars: MultiProgress) -> Self {
        Self { common, file, bars }
    }

    /// Where the database is, by flag, environment, file or default.
    pub fn url(&self) -> Result<DatabaseUrl> {
        let text = self.file.database(&self.common)?;
        DatabaseUrl::parse(&text).map_err(|error| Usage(error.to_string()).into())
    }

    /// Opens the database that is there. Never makes one.
    pub fn open(&self) -> Result<Database> {
        self.open_at(self.url()?)
    }

    /// Opens the database that is there for a command that changes nothing in it. Never makes one.
    pub fn open_to_read(&self) -> Result<Database> {
        let url = self.url()?;
        Ok(Database { store: store::open_to_read(&url)?, url })
    }

    /// Opens the database at `url`. Never makes one.
    pub fn open_at(&self, url: DatabaseUrl) -> Result<Database> {
        let store = store::open_with(&url, self.connections(&url))?;
        Ok(Database { store, url })
    }

    /// Whether a flag, or the variable of the same name, says where the database is.
    pub fn names_database(&self) -> bool {
        self.common.database.is_some()
    }

    /// Makes the database if there is none, brings it up to date, and opens it.
    pub fn create(&self) -> Result<Database> {
        self.create_at(self.url()?)
    }

    /// Makes the database at `url` if there is none, brings it up to date, and opens it.
    pub fn create_at(&self, url: DatabaseUrl) -> Result<Database> {
        for migration in store::migrate(&url)? {
            log::info!("database {url}: ran migration {migration}");
        }
        self.open_at(url)
    }

    /// The master key of the database, proven to open its keys.
    pub fn master_key(&self, database: &Database) -> Result<MasterKey> {
        let file = self.common.master_key_file.as_ref().or(self.file.master_key_file.as_ref());
        let text = match env::var(MASTER_KEY) {
            Ok(text) => Some(text.into()),
            Err(env::VarError::NotPresent) => None,
            // The value is not shown: it may be the key, damaged.
            Err(env::VarError::NotUnicode(_)) => {
                bail!(Usage(format!("{MASTER_KEY} is not text: set it anew")))
            }
        };
        master_key::obtain(file.map(|path| path.as_path()), text, database)
    }

    /// Whether standard input is taken by the master key.
    pub fn reads_master_key_from_stdin(&self) -> bool {
        let file = self.common.master_key_file.as_ref().or(self.file.master_key_file.as_ref());
        file.is_some_and(|path| path.as_path() == std::path::Path::new("-"))
    }

    /// How many transactions may run at a time in the database at `url`.
    pub fn connections(&self, url: &DatabaseUrl) -> usize {
        match url {
            DatabaseUrl::Sqlite(_) => 1,
            DatabaseUrl::Postgres(_) => {
                self.common.connections.or(self.file.connections).map_or(store::CONNECTIONS, usize::from)
            }
        }
    }

    /// What a service does of the work.
    pub fn roles(&self, given: Serving) -> Roles {
        given.roles.or(self.file.serve.roles).unwrap_or_default()
    }

    /// The settings of the service, checked, and the engine that signs.
    pub fn signing(&self, given: &Signing) -> Result<(Settings, Engine)> {
        let given = given.clone().over(&self.file.signing);
        let engine = given.signer.unwrap_or_default();
        let settings = given.settings();
        settings.check()?;
        limits::check_connections(self.connections(&self.url()?))?;
        Ok((settings, engine))
    }

    /// The largest payload that is taken.
    pub fn max_payload(&self, given: &Reading) -> usize {
        given.max_payload.or(self.file.import.max_payload).map_or(Reading::MAX_PAYLOAD, usize::from)
    }

    /// Starts work that takes a while; `total` 0 means that nobody knows how much it is.
    pub fn progress(&self, what: &'static str, total: u64, unit: Unit) -> Progress {
        Progress::start(&self.bars, what, total, unit)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    #[test]
    fn sqlite_has_one_writer_and_postgresql_as_many_as_it_is_told() {
        let of = |flag: Option<usize>, file: Option<usize>| {
            let common = Common { connections: flag.and_then(NonZeroUsize::new), ..Common::default() };
            let file = ConfigFile { connections: file.and_then(NonZeroUsize::new), ..ConfigFile::default() };
            let context = Context::new(common, file, MultiProgress::new());
            ["a.db", "postgres://h/d"].map(|url| context.connections(&DatabaseUrl::parse(url).unwrap()))
        };
        assert_eq!(of(None, None), [1, 4]);
        assert_eq!(of(None, Some(2)), [1, 2]);
        assert_eq!(of(Some(8), Some(2)), [1, 8]);
    }
}
