//! What a command works with: the settings, the database, the master key, the progress bars.

use std::{collections::BTreeMap, env, path::Path, sync::Arc};

use anyhow::{Result, bail};
use indicatif::MultiProgress;

use super::{
    config_file::MASTER_KEY,
    failure::Usage,
    given::Given,
    limits, master_key,
    options::{ImportOptions, Options, ServeOptions},
    progress::{ProgressDisplay, Unit},
};
use crate::{
    anchors::AnchorAddress,
    config::{Custodian, Settings},
    domain::CustodianName,
    signer::{
        Custodians, Engine, KeyFiles, Keyring, MasterKeys, SignerError,
        token::{Token, TokenAccess, TokenSettings},
    },
    store::{self, DatabaseUrl, Store},
};

/// Everything given on the command line, in the environment and in the settings file.
pub struct Context {
    options: Options,
    names_database: bool,
    bars: MultiProgress,
}

/// What keeps private keys outside the database, as commands use it.
pub enum Place {
    /// A directory of key files.
    Files(KeyFiles),
    /// A hardware token.
    Token(TokenPlace),
}

/// A hardware token that is not open yet.
pub struct TokenPlace {
    custodian: String,
    settings: TokenSettings,
}

impl TokenPlace {
    /// Opens the token.
    pub fn open(&self) -> Result<TokenAccess, SignerError> {
        TokenAccess::open(&self.custodian, Path::new(OWN_PROGRAM), &self.settings)
    }

    /// How it is reached.
    pub fn settings(&self) -> &TokenSettings {
        &self.settings
    }
}

/// An open database.
pub struct Database {
    /// Where it is.
    pub url: DatabaseUrl,
    /// Access to it.
    pub store: Arc<dyn Store>,
}

impl Context {
    /// A context with `options` from all sources. `names_database` says whether `--database` or
    /// `SIGNWAVE_DATABASE` names the database.
    pub fn new(options: Options, names_database: bool, bars: MultiProgress) -> Self {
        Self { options, names_database, bars }
    }

    /// Where the database is: flag, `SIGNWAVE_DATABASE`, `DATABASE_URL`, file, default.
    pub fn url(&self) -> Result<DatabaseUrl> {
        let variable = match env::var("DATABASE_URL") {
            _ if self.names_database => None,
            Err(env::VarError::NotUnicode(_)) => {
                bail!(Usage("DATABASE_URL is not UTF-8 text: set it to the address of the database".into()))
            }
            variable => variable.ok(),
        };
        let address = self.options.database.as_ref().map(|address| address.0.as_str());
        let text = variable.as_deref().or(address).unwrap_or(Options::DATABASE);
        DatabaseUrl::parse(text).map_err(|error| Usage(error.to_string()).into())
    }

    /// Opens the existing database. Never makes one.
    pub fn open(&self) -> Result<Database> {
        self.open_anchored(&[])
    }

    /// Opens the existing database to sign, with its anchors. Never makes one.
    pub fn open_anchored(&self, anchors: &[AnchorAddress]) -> Result<Database> {
        let url = self.url()?;
        let store = store::open_with(&url, self.connections(&url), anchors)?;
        Ok(Database { store, url })
    }

    /// Opens the existing database for a command that changes nothing in it. Never makes one.
    pub fn open_to_read(&self) -> Result<Database> {
        let url = self.url()?;
        Ok(Database { store: store::open_to_read(&url)?, url })
    }

    /// Whether `--database` or `SIGNWAVE_DATABASE` names the database.
    pub fn names_database(&self) -> bool {
        self.names_database
    }

    /// Makes the database if there is none, brings it up to date, and opens it.
    pub fn create(&self) -> Result<Database> {
        self.create_anchored(&[])
    }

    /// The same to sign, with its anchors. If one of these is there, so must the database be: an empty one is not what the
    /// anchor knows.
    pub fn create_anchored(&self, anchors: &[AnchorAddress]) -> Result<Database> {
        let url = self.url()?;
        if !store::is_anchored(anchors)? {
            migrate(&url)?;
        }
        self.open_anchored(anchors)
    }

    /// Makes a new database at `url`, and opens it.
    pub fn create_at(&self, url: DatabaseUrl) -> Result<Database> {
        migrate(&url)?;
        Ok(Database { store: store::open(&url)?, url })
    }

    /// The master keys of the database, proven to open a sealed key.
    pub fn master_keys(&self, database: &Database) -> Result<MasterKeys> {
        self.master_key_sources(database)?.master_keys()
    }

    /// The keyring, which opens the keys of the database. The engine is tested first.
    pub fn keyring(&self, database: &Database, engine: Engine) -> Result<Keyring> {
        engine.prepare()?;
        self.master_key_sources(database)?.keyring(engine)
    }

    /// Opens the keys of the database, wherever they are kept.
    pub fn custodians(&self, keyring: Arc<Keyring>, engine: Engine) -> Custodians {
        let (mut files, mut tokens) = (BTreeMap::new(), BTreeMap::new());
        for (name, custodian) in &self.options.custody {
            match custodian {
                Custodian::File { directory, passphrase_file } => {
                    let keys = KeyFiles::new(engine, directory.clone(), passphrase_file.clone());
                    files.insert(name.to_string(), keys);
                }
                Custodian::Pkcs11(token) => {
                    let token = Token::new(name.as_str(), OWN_PROGRAM.into(), token.clone());
                    tokens.insert(name.to_string(), Arc::new(token));
                }
            }
        }
        Custodians::new(keyring, files, tokens)
    }

    /// The names of the custodians that the settings file names.
    pub fn custodian_names(&self) -> Vec<String> {
        self.options.custody.keys().map(CustodianName::to_string).collect()
    }

    /// A custodian, by the name that the settings file gives it.
    pub fn custodian(&self, name: &str) -> Result<Place> {
        let mut custody = self.options.custody.iter();
        let Some((_, found)) = custody.find(|(known, _)| known.as_str() == name) else {
            bail!(Usage(format!(
                "the settings file names no custodian '{name}': add a section [custody.{name}]"
            )))
        };
        Ok(match found {
            Custodian::File { directory, passphrase_file } => {
                Place::Files(KeyFiles::new(self.signer(), directory.clone(), passphrase_file.clone()))
            }
            Custodian::Pkcs11(token) => {
                Place::Token(TokenPlace { custodian: name.to_owned(), settings: token.clone() })
            }
        })
    }

    /// Where the master keys of the database may come from.
    pub fn master_key_sources<'a>(&'a self, database: &'a Database) -> Result<master_key::Sources<'a>> {
        let text = match env::var(MASTER_KEY) {
            Ok(text) => Some(text.into()),
            Err(env::VarError::NotPresent) => None,
            // The value is not shown, because it may be a damaged master key.
            Err(env::VarError::NotUnicode(_)) => {
                bail!(Usage(format!("{MASTER_KEY} is not UTF-8 text: set it to the master key in base64")))
            }
        };
        Ok(master_key::Sources {
            file: self.master_key_file(),
            command: self.options.master_key_command.as_ref(),
            text,
            next_file: self.options.next_master_key_file.as_deref(),
            next_command: self.options.next_master_key_command.as_ref(),
            url: &database.url,
            store: database.store.as_ref(),
        })
    }

    /// Whether the master key is read from standard input.
    pub fn reads_master_key_from_stdin(&self) -> bool {
        self.master_key_file().is_some_and(|path| path == Path::new("-"))
    }

    fn master_key_file(&self) -> Option<&Path> {
        self.options.master_key_file.as_deref()
    }

    /// How many transactions may run at a time in the database at `url`.
    pub fn connections(&self, url: &DatabaseUrl) -> usize {
        match url {
            DatabaseUrl::Sqlite(_) => 1,
            DatabaseUrl::Postgres(_) => self.options.connections.get(),
        }
    }

    /// What a service does, and where it listens.
    pub fn serve(&self, given: &Given<ServeOptions>) -> ServeOptions {
        given.over(self.options.serve.clone())
    }

    /// The engine that signs, as far as the settings file says.
    pub fn signer(&self) -> Engine {
        self.options.signing.signer
    }

    /// The anchors that the settings file names.
    pub fn anchors(&self) -> &[AnchorAddress] {
        &self.options.signing.anchor
    }

    /// The settings of the service, checked.
    pub fn signing(&self, given: &Given<Settings>) -> Result<Settings> {
        let settings = given.over(self.options.signing.clone());
        settings.check()?;
        limits::check_connections(self.connections(&self.url()?))?;
        Ok(settings)
    }

    /// The largest payload that an import accepts.
    pub fn max_payload(&self, given: &Given<ImportOptions>) -> usize {
        given.over(self.options.import.clone()).max_payload.get()
    }

    /// Calls `print` while no progress bar is shown.
    pub fn aside_bars<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bars.suspend(print)
    }

    /// Shows the progress of work that takes a while. A `total` of 0 means that the amount is unknown.
    pub fn progress(&self, what: &'static str, total: u64, unit: Unit) -> ProgressDisplay {
        ProgressDisplay::start(&self.bars, what, total, unit)
    }
}

fn migrate(url: &DatabaseUrl) -> Result<()> {
    for migration in store::migrate(url)? {
        log::info!("database {url}: ran migration {migration}");
    }
    Ok(())
}

/// The program that runs, also after an upgrade has put another in its place.
const OWN_PROGRAM: &str = "/proc/self/exe";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_has_one_writer_and_postgresql_as_many_as_it_is_told() {
        let of = |file| {
            let options = Options::parse(file, "x.toml".as_ref()).unwrap();
            let context = Context::new(options, false, MultiProgress::new());
            ["a.db", "postgres://h/d"].map(|url| context.connections(&DatabaseUrl::parse(url).unwrap()))
        };
        assert_eq!((of(""), of("connections = 2")), ([1, 4], [1, 2]));
    }
}
