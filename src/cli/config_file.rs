//! `signwave.toml`, and the environment variables that are not flags.

use std::{
    env,
    fs::File,
    io::{self, Read},
    path::Path,
};

use anyhow::{Result, bail};
use clap::Command;

use super::{failure::Usage, options::Options, shown::shown};

/// The name of the file that is read when no other is named.
const DEFAULT_FILE: &str = "signwave.toml";

/// No settings file is larger; reading stops there.
const MAX_FILE: u64 = 1 << 20;

/// Variables that are read although no flag stands for them: a secret never is an argument.
pub const MASTER_KEY: &str = "SIGNWAVE_MASTER_KEY";
/// The passphrase of encrypted key files, for `keys import`.
pub const PASSPHRASE: &str = "SIGNWAVE_PASSPHRASE";

/// Reads the file that is named, or `signwave.toml` if there is one. What it does not say is as by default.
///
/// # Errors
/// When a named file is missing, or a file has anything in it that is not understood.
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
    /// Anything in it that is not understood, with its line.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            Usage(format!("{}:{line}: {}", path.display(), shown(error.message()))).into()
        })
    }
}

/// Refuses variables that look like settings but are none: a mistyped one would be ignored.
pub fn check_environment(program: &Command) -> Result<()> {
    let mut known = vec![MASTER_KEY.to_owned(), PASSPHRASE.to_owned()];
    collect_variables(program, &mut known);
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
