//! The settings of all commands, as flags, variables of the environment and `signwave.toml` give them.

use std::{collections::BTreeMap, fmt, num::NonZeroUsize, path::PathBuf};

use clap::{Args, ValueEnum};
use serde::{Deserialize, Deserializer, de::Error};

use crate::{
    config::{Custodian, Listen, Roles, Settings, custody_sections, parsed, parsed_some},
    domain::CustodianName,
    signer::MasterKeyCommand,
    store,
};

/// The settings of every command. The settings file has the same keys, and a section for each nested group.
#[derive(Args, Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[command(next_help_heading = "Common options")]
pub struct Options {
    /// The database: a path, sqlite://PATH or postgres://.. [default: signwave.db]
    #[arg(long, global = true, value_name = "URL|PATH")]
    pub database: Option<Address>,
    /// Connections to a PostgreSQL server, each for one transaction at a time [default: 4]
    #[arg(long, global = true, value_name = "N")]
    pub connections: NonZeroUsize,
    /// The settings file [default: signwave.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// The master key that seals the private keys [default: the database's path + '.master']
    #[arg(long, global = true, value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// A command that prints the master key, in the place of the file. No shell runs it
    #[arg(long, global = true, value_name = "COMMAND")]
    #[serde(deserialize_with = "command")]
    pub master_key_command: Option<MasterKeyCommand>,
    /// The next master key, while the master key is changed [default: the master key file + '.next']
    #[arg(long, global = true, value_name = "FILE")]
    pub next_master_key_file: Option<PathBuf>,
    /// A command that prints the next master key, in the place of the file
    #[arg(long, global = true, value_name = "COMMAND")]
    #[serde(deserialize_with = "command")]
    pub next_master_key_command: Option<MasterKeyCommand>,
    /// The log format: text for people, json for programs [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: LogFormat,
    /// How to sign.
    #[arg(skip)]
    pub signing: Settings,
    /// What a service does.
    #[arg(skip)]
    pub serve: ServeOptions,
    /// How to read records.
    #[arg(skip)]
    pub import: ImportOptions,
    /// Who keeps private keys outside the database.
    #[arg(skip)]
    #[serde(deserialize_with = "custody_sections")]
    pub custody: BTreeMap<CustodianName, Custodian>,
}

impl Options {
    /// The default database.
    pub const DATABASE: &str = "signwave.db";
    const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(store::CONNECTIONS).expect("it is at least one");
}

impl Default for Options {
    fn default() -> Self {
        Self {
            database: None,
            connections: Self::CONNECTIONS,
            config: None,
            master_key_file: None,
            master_key_command: None,
            next_master_key_file: None,
            next_master_key_command: None,
            log_format: LogFormat::default(),
            signing: Settings::default(),
            serve: ServeOptions::default(),
            import: ImportOptions::default(),
            custody: BTreeMap::new(),
        }
    }
}

/// Where a database or a queue is, as it was given. `Debug` does not show it, because it may hold a password.
#[derive(Clone, Deserialize, PartialEq, Eq)]
pub struct Address(pub String);

impl From<String> for Address {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// Reads a command from the settings file: a text in the syntax of the flag, or a list of words.
fn command<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<MasterKeyCommand>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a command is a text or a list of texts")]
    enum Form {
        Text(String),
        Words(Vec<String>),
    }
    let command = match Form::deserialize(deserializer)? {
        Form::Text(text) => text.parse(),
        Form::Words(words) => MasterKeyCommand::of(words),
    };
    command.map(Some).map_err(D::Error::custom)
}

/// The log format: text for people, or one JSON object per line for programs.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    // No doc comments: clap would show them, and --help would be three times as long.
    #[default]
    Text,
    Json,
}

/// Whether the API has the dashboard.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Dashboard {
    #[default]
    On,
    Off,
}

/// What a service does.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServeOptions {
    /// The part of the work to do: emit (form batches), sign, or both [default: emit,sign]
    #[arg(long, value_name = "ROLES")]
    #[serde(deserialize_with = "parsed")]
    pub roles: Roles,
    /// Where the HTTP API listens: IP:PORT, unix:PATH or none [default: 127.0.0.1:7446, if it is free]
    #[arg(long, value_name = "ADDRESS")]
    #[serde(deserialize_with = "parsed_some")]
    pub listen: Option<Listen>,
    /// The page at / that shows the service at work [default: on]
    #[arg(long, value_name = "WHETHER")]
    pub dashboard: Dashboard,
    /// Where health and metrics listen, apart from the API: IP:PORT, unix:PATH or none [default: none]
    #[arg(long, value_name = "ADDRESS")]
    #[serde(deserialize_with = "parsed")]
    pub admin_listen: Listen,
    /// The server's certificate and its chain, as PEM: the API then speaks HTTPS
    #[arg(long, value_name = "FILE")]
    pub tls_certificate: Option<PathBuf>,
    /// The private key of the certificate, as PEM
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Certificates, as PEM, of the authorities whose clients may show a certificate instead of a token
    #[arg(long, value_name = "FILE")]
    pub tls_client_ca: Option<PathBuf>,
    /// Allow HTTP without TLS on an address that other machines can reach
    #[arg(long)]
    pub plain_http: bool,
    /// Host names, besides the address, by which clients may call the API
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub allowed_hosts: Vec<String>,
    /// Origins, such as `https://example.com`, whose pages may call the API from a browser
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    pub cors_origins: Vec<String>,
    /// Take records from a queue: amqp://USER:PASSWORD@HOST/VHOST?queue=NAME,
    /// nats://USER:PASSWORD@HOST?stream=NAME&consumer=NAME, or kafka://HOST?topic=NAME&group=NAME. A password belongs into
    /// SIGNWAVE_INTAKE or the settings file, because other users can see the arguments of a process
    #[arg(long, value_name = "URL")]
    pub intake: Option<Address>,
    /// Publish the signatures to a queue: amqp://USER:PASSWORD@HOST/VHOST?queue=NAME,
    /// nats://USER:PASSWORD@HOST?stream=NAME&subject=NAME, or kafka://HOST?topic=NAME. May be given several times, or with spaces in between. As for
    /// passwords, see --intake
    #[arg(long, value_name = "URL", value_delimiter = ' ')]
    pub publish: Vec<Address>,
}

/// How to read records.
#[derive(Args, Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ImportOptions {
    /// The largest payload in bytes [default: 16777216, which is 16 MiB]
    #[arg(long, value_name = "BYTES")]
    pub max_payload: NonZeroUsize,
}

impl Default for ImportOptions {
    fn default() -> Self {
        const MAX_PAYLOAD: NonZeroUsize = NonZeroUsize::new(16 << 20).expect("it is not zero");
        Self { max_payload: MAX_PAYLOAD }
    }
}
