//! Settings as people give them: flags, the environment and `signwave.toml` are the same few
//! structs, laid over one another.

use std::{fmt, num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use serde::{Deserialize, Deserializer, de::Error};

use super::shown::shown;
use crate::{
    config::{Checking, Roles, Settings},
    domain::Scheme,
    signer::Engine,
};

/// What every command understands.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// The database: a path, sqlite://PATH or postgres://.. [default: signwave.db]
    #[arg(long, global = true, value_name = "URL|PATH", env = "SIGNWAVE_DATABASE", hide_env_values = true)]
    pub database: Option<Address>,
    /// Connections to a PostgreSQL server, each for one transaction at a time [default: 4]
    #[arg(long, global = true, value_name = "N", env = "SIGNWAVE_CONNECTIONS", hide_env_values = true)]
    pub connections: Option<NonZeroUsize>,
    /// The settings file [default: signwave.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE", env = "SIGNWAVE_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// The master key that seals the private keys [default: the database's path + '.master']
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "SIGNWAVE_MASTER_KEY_FILE",
        hide_env_values = true
    )]
    pub master_key_file: Option<PathBuf>,
    /// How log lines look: for people, or for programs [default: text]
    #[arg(long, global = true, value_name = "FORMAT", env = "SIGNWAVE_LOG_FORMAT", hide_env_values = true)]
    pub log_format: Option<LogFormat>,
    /// Say more: the causes of an error (-v), what happens inside (-vv), everything (-vvv)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// Where the database is, as it was given. It may hold a password, and does not show in `Debug`.
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

/// How log lines look: for people, or one JSON object a line for programs.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    // No doc comments: clap would show them, and --help would be three times as long.
    #[default]
    Text,
    Json,
}

/// How to sign. Durations are written as `200ms`, `30s`, `2min`.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[command(next_help_heading = "Signing options")]
pub struct Signing {
    /// Records per batch: all are signed with one key, and stored together [default: 1000]
    #[arg(long, value_name = "N", env = "SIGNWAVE_BATCH_SIZE", hide_env_values = true)]
    pub batch_size: Option<usize>,
    /// How to sign: PS256, PS384, PS512, RS256, RS384 or RS512 [default: PS256]
    #[arg(long, value_name = "NAME", env = "SIGNWAVE_SCHEME", hide_env_values = true)]
    #[serde(deserialize_with = "parsed")]
    pub scheme: Option<Scheme>,
    /// What signs: aws-lc, or rsa (many times slower) where aws-lc is not wanted [default: aws-lc]
    #[arg(long, value_name = "ENGINE", env = "SIGNWAVE_SIGNER", hide_env_values = true)]
    #[serde(deserialize_with = "parsed")]
    pub signer: Option<Engine>,
    /// Signatures to verify before they are stored: needed (of signers that do not check themselves, as
    /// aws-lc and rsa do) or always (all) [default: needed]
    #[arg(long, value_name = "WHEN", env = "SIGNWAVE_CHECK_SIGNATURES", hide_env_values = true)]
    #[serde(deserialize_with = "parsed")]
    pub check_signatures: Option<Checking>,
    /// Signing threads [default: one per core]
    #[arg(long, value_name = "N", env = "SIGNWAVE_SIGNERS", hide_env_values = true)]
    pub signers: Option<usize>,
    /// Batches held ready beyond those being signed [default: enough for the batch size]
    #[arg(long, value_name = "N", env = "SIGNWAVE_PREFETCH", hide_env_values = true)]
    pub prefetch: Option<usize>,
    /// How long an incomplete batch waits for more records [default: 200ms]
    #[arg(long, value_name = "TIME", value_parser = duration, env = "SIGNWAVE_LINGER", hide_env_values = true)]
    #[serde(deserialize_with = "parsed_duration")]
    pub linger: Option<Duration>,
    /// How often to look for records that others inserted [default: 200ms]
    #[arg(long, value_name = "TIME", value_parser = duration, env = "SIGNWAVE_POLL_INTERVAL", hide_env_values = true)]
    #[serde(deserialize_with = "parsed_duration")]
    pub poll_interval: Option<Duration>,
    /// How long a process may be silent before its batches go to others [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = duration, env = "SIGNWAVE_LEASE_TTL", hide_env_values = true)]
    #[serde(deserialize_with = "parsed_duration")]
    pub lease_ttl: Option<Duration>,
    /// Added to that, for clocks and pauses [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = duration, env = "SIGNWAVE_LEASE_GRACE", hide_env_values = true)]
    #[serde(deserialize_with = "parsed_duration")]
    pub lease_grace: Option<Duration>,
    /// How long a stop waits for the batches that are being signed before it gives them back [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = duration, env = "SIGNWAVE_STOP_GRACE", hide_env_values = true)]
    #[serde(deserialize_with = "parsed_duration")]
    pub stop_grace: Option<Duration>,
    /// What this process is called in 'signwave status' [default: host name and process id]
    #[arg(long, value_name = "NAME", env = "SIGNWAVE_NODE_NAME", hide_env_values = true)]
    pub node_name: Option<String>,
}

impl Signing {
    /// These settings where they are given, otherwise those of `under`.
    #[must_use]
    pub fn over(self, under: &Self) -> Self {
        Self {
            batch_size: self.batch_size.or(under.batch_size),
            scheme: self.scheme.or(under.scheme),
            signer: self.signer.or(under.signer),
            check_signatures: self.check_signatures.or(under.check_signatures),
            signers: self.signers.or(under.signers),
            prefetch: self.prefetch.or(under.prefetch),
            linger: self.linger.or(under.linger),
            poll_interval: self.poll_interval.or(under.poll_interval),
            lease_ttl: self.lease_ttl.or(under.lease_ttl),
            lease_grace: self.lease_grace.or(under.lease_grace),
            stop_grace: self.stop_grace.or(under.stop_grace),
            node_name: self.node_name.or_else(|| under.node_name.clone()),
        }
    }

    /// The settings of the service, with the defaults for whatever was not given. Not yet checked.
    pub fn settings(self) -> Settings {
        let default = Settings::default();
        Settings {
            batch_size: self.batch_size.unwrap_or(default.batch_size),
            scheme: self.scheme.unwrap_or(default.scheme),
            checking: self.check_signatures.unwrap_or(default.checking),
            signers: self.signers.unwrap_or(default.signers),
            prefetch: self.prefetch.or(default.prefetch),
            linger: self.linger.unwrap_or(default.linger),
            poll_interval: self.poll_interval.unwrap_or(default.poll_interval),
            lease_ttl: self.lease_ttl.unwrap_or(default.lease_ttl),
            lease_grace: self.lease_grace.unwrap_or(default.lease_grace),
            stop_grace: self.stop_grace.unwrap_or(default.stop_grace),
            node_name: self.node_name.unwrap_or(default.node_name),
        }
    }
}

/// What a service does.
#[derive(Args, Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Serving {
    /// What to do of the work: emit (form batches), sign, or both [default: emit,sign]
    #[arg(long, value_name = "ROLES", env = "SIGNWAVE_ROLES", hide_env_values = true)]
    #[serde(deserialize_with = "parsed")]
    pub roles: Option<Roles>,
}

/// How to read records.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Reading {
    /// The largest payload in bytes [default: 16777216, which is 16 MiB]
    #[arg(long, value_name = "BYTES", env = "SIGNWAVE_MAX_PAYLOAD", hide_env_values = true)]
    pub max_payload: Option<NonZeroUsize>,
}

impl Reading {
    /// The largest payload unless told otherwise.
    pub const MAX_PAYLOAD: usize = 16 << 20;
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{}; write 200ms, 30s or 2min", shown(&error.to_string())))
}

/// Reads a value from the text that a flag would take.
fn parsed<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    String::deserialize(deserializer)?.parse().map(Some).map_err(Error::custom)
}

fn parsed_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration(&String::deserialize(deserializer)?).map(Some).map_err(Error::custom)
}
