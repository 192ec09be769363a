//! `signwave.toml`, and the environment variables that are not flags.

use std::{
    env,
    fs::File,
    io::{self, Read},
    path::Path,
};

use anyhow::{Result, bail};
use clap::Command;

use super::{failure::Usage, options::Options};
use crate::formats::shown::shown;

/// The name of the settings file if --config names no other.
const DEFAULT_FILE: &str = "signwave.toml";

/// The largest settings file; reading stops there.
const MAX_FILE: u64 = 1 << 20;

/// The master key. No flag takes it, because other users can see the arguments of a process.
pub const MASTER_KEY: &str = "SIGNWAVE_MASTER_KEY";
/// The passphrase of encrypted key files, for `keys import`. No flag takes it either.
pub const PASSPHRASE: &str = "SIGNWAVE_PASSPHRASE";

/// Reads the file `named`, or `signwave.toml` if it exists. Settings that the file leaves out have their defaults.
///
/// # Errors
/// When the named file is missing, or the file has an unknown or invalid setting.
pub fn read(named: Option<&Path>) -> Result<Options> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    let read = || {
        let mut text = String::new();
        File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MAX_FILE {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        Ok(text)
    };
    match read() {
        Ok(text) => Options::parse(&text, path),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(Options::default()),
        Err(error) => {
            bail!(
                "the settings file '{}' cannot be read: {error}; name another with --config",
                path.display()
            )
        }
    }
}

impl Options {
    /// Reads the text of a settings file called `path`.
    ///
    /// # Errors
    /// Any unknown or invalid setting, with its line.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            Usage(format!("{}:{line}: {}", path.display(), shown(error.message()))).into()
        })
    }
}

/// Refuses unknown `SIGNWAVE_` variables, because a mistyped name would otherwise be ignored.
pub fn check_environment(program: &Command) -> Result<()> {
    let mut known = vec![MASTER_KEY.to_owned(), PASSPHRASE.to_owned()];
    collect_variables(program, &mut known);
    let unknown = env::vars_os()
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .find(|name| name.starts_with("SIGNWAVE_") && !known.contains(name));
    match unknown {
        None => Ok(()),
        Some(name) => Err(Usage(format!(
            "unknown environment variable {name}: unset it, or see 'signwave help' for the names"
        ))
        .into()),
    }
}

fn collect_variables(command: &Command, known: &mut Vec<String>) {
    known.extend(command.get_arguments().filter_map(|arg| Some(arg.get_env()?.to_str()?.to_owned())));
    command.get_subcommands().for_each(|command| collect_variables(command, known));
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("config = 'x'", "x.toml:1: unknown field `config`"),
            ("[signing]\nroles = 'emit'", "x.toml:2: unknown field `roles`"),
            ("connections = 'postgres://u:secret@h/d'", "x.toml:1: invalid type: string \"postgres://.."),
        ] {
            let error = Options::parse(text, Path::new("x.toml")).unwrap_err().to_string();
            assert!(error.starts_with(message) && !error.contains("secret"), "{error}");
        }
    }
}
