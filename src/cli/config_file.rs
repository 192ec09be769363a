//! `signwave.toml`, and the environment variables that are not flags.

use std::{
    env,
    fs::File,
    io::{self, Read},
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use clap::CommandFactory;
use serde::Deserialize;

use super::{
    args::Cli,
    failure::Usage,
    options::{Address, Common, LogFormat, Reading, Serving, Signing},
    shown::shown,
};

/// The settings file. Unknown keys are errors.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConfigFile {
    /// As `--database`.
    pub database: Option<Address>,
    /// As `--connections`.
    pub connections: Option<NonZeroUsize>,
    /// As `--master-key-file`.
    pub master_key_file: Option<PathBuf>,
    /// As `--log-format`.
    pub log_format: Option<LogFormat>,
    /// How to sign.
    pub signing: Signing,
    /// What a service does.
    pub serve: Serving,
    /// How to read records.
    pub import: Reading,
}

/// The name of the file that is read when no other is named.
const DEFAULT_FILE: &str = "signwave.toml";

/// No settings file is larger; reading stops there.
const MAX_FILE: u64 = 1 << 20;

/// Variables that are read although no flag stands for them: a secret never is an argument.
pub const MASTER_KEY: &str = "SIGNWAVE_MASTER_KEY";
/// The passphrase of encrypted key files, for `keys import`.
pub const PASSPHRASE: &str = "SIGNWAVE_PASSPHRASE";

impl ConfigFile {
    /// Reads the file named in `common`, or `signwave.toml` if there is one.
    ///
    /// # Errors
    /// When a named file is missing, or a file has anything in it that is not understood.
    pub fn read(common: &Common) -> Result<Self> {
        let path = common.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
        let read = || {
            let mut text = String::new();
            File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
            if text.len() as u64 > MAX_FILE {
                return Err(io::Error::from(io::ErrorKind::FileTooLarge));
            }
            Ok(text)
        };
        match read() {
            Ok(text) => Self::parse(&text, path),
            Err(error) if common.config.is_none() && error.kind() == io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            Err(error) => {
                bail!(
                    "the settings file '{}' cannot be read: {error}; name another with --config",
                    path.display()
                )
            }
        }
    }

    /// Reads the text of a settings file called `path`.
    ///
    /// # Errors
    /// Anything in it that is not understood, with its line.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            Usage(format!("{}:{line}: {}", path.display(), shown(error.message()))).into()
        })
    }

    /// The database's address: flag, `SIGNWAVE_DATABASE`, `DATABASE_URL`, file, default.
    pub fn database(&self, common: &Common) -> Result<String> {
        let given = match &common.database {
            Some(given) => Some(given.0.clone()),
            None => match env::var("DATABASE_URL") {
                Ok(url) => Some(url),
                Err(env::VarError::NotPresent) => self.database.as_ref().map(|given| given.0.clone()),
                Err(env::VarError::NotUnicode(_)) => {
                    return Err(Usage("DATABASE_URL is not UTF-8 text: set it anew".into()).into());
                }
            },
        };
        Ok(given.unwrap_or_else(|| "signwave.db".to_owned()))
    }
}

/// Refuses variables that look like settings but are none: a mistyped one would be ignored.
pub fn check_environment() -> Result<()> {
    let mut known = vec![MASTER_KEY.to_owned(), PASSPHRASE.to_owned()];
    collect_variables(&Cli::command(), &mut known);
    let unknown = env::vars_os()
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .find(|name| name.starts_with("SIGNWAVE_") && !known.contains(name));
    match unknown {
        None => Ok(()),
        Some(name) => Err(Usage(format!(
            "the environment variable {name} is no setting of signwave: unset it, or see 'signwave help' for the names"
        ))
        .into()),
    }
}

fn collect_variables(command: &clap::Command, known: &mut Vec<String>) {
    known.extend(command.get_arguments().filter_map(|arg| Some(arg.get_env()?.to_str()?.to_owned())));
    command.get_subcommands().for_each(|command| collect_variables(command, known));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Settings, signer::Engine};

    const EXAMPLE: &str = include_str!("../../signwave.example.toml");

    fn parse(text: &str) -> Result<ConfigFile> {
        ConfigFile::parse(text, Path::new("x.toml"))
    }

    #[test]
    fn the_example_file_says_what_the_defaults_are() {
        let file = parse(EXAMPLE).unwrap();
        assert_eq!(file.database, Some(Address("signwave.db".to_owned())));
        assert_eq!(file.log_format, Some(LogFormat::default()));
        assert_eq!(file.import.max_payload.map(usize::from), Some(Reading::MAX_PAYLOAD));
        assert_eq!(file.signing.signer, Some(Engine::default()));
        assert_eq!(file.signing.settings(), Settings::default());
    }

    #[test]
    fn the_example_file_names_every_setting() {
        let command = Cli::command();
        let serve = command.find_subcommand("serve").unwrap().get_arguments();
        let import = command.find_subcommand("import").unwrap().get_arguments();
        for arg in command.get_arguments().chain(serve).chain(import).filter(|arg| arg.get_env().is_some()) {
            let name = arg.get_long().unwrap();
            let is_named =
                EXAMPLE.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{name} =")));
            assert!(is_named || name == "config", "{name}");
        }
    }

    #[test]
    fn what_is_not_understood_is_named_with_its_line() {
        for (text, message) in [
            ("databse = 'x'", "x.toml:1: unknown field `databse`"),
            ("[signing]\n\nbatch_size = 1", "x.toml:3: unknown field `batch_size`"),
            ("[signing]\nscheme = 'ES256'", "x.toml:2: unknown signature scheme 'ES256'"),
            ("[signing]\nlinger = '5 parsecs'", "x.toml:2: "),
            ("[signing]\nbatch-size = -1", "x.toml:2: invalid value"),
            ("log-format = 'xml'", "x.toml:1: unknown variant `xml`"),
            ("database", "x.toml:1: "),
            ("connections = 'postgres://u:secret@h/d'", "x.toml:1: invalid type: string \"postgres://.."),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(message) && !error.contains("secret"), "{error}");
        }
    }
}
