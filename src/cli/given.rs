//! Settings that flags and environment variables give, to be applied over other settings.

use std::{fmt, marker::PhantomData};

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};

/// The settings `T` as far as flags and environment variables give them. No flag is required. Each flag has a
/// variable: `SIGNWAVE_BATCH_SIZE` for `--batch-size`.
pub struct Given<T> {
    matches: ArgMatches,
    settings: PhantomData<T>,
}

impl<T: Args> Given<T> {
    /// These settings where they are given, otherwise those of `under`.
    pub fn over(&self, mut under: T) -> T {
        let updated = under.update_from_arg_matches(&self.matches);
        updated.expect("clap has parsed these values as the declaration of `T` says");
        under
    }
}

impl<T: Args> Args for Given<T> {
    fn augment_args(command: Command) -> Command {
        let others: Vec<_> = command.get_arguments().map(|arg| arg.get_id().clone()).collect();
        // In an update, no argument is required.
        T::augment_args_for_update(command)
            .mut_args(|arg| if others.contains(arg.get_id()) { arg } else { with_variable(arg) })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn with_variable(arg: Arg) -> Arg {
    let name = arg.get_long().unwrap_or_default().replace('-', "_").to_uppercase();
    arg.env(format!("SIGNWAVE_{name}")).hide_env_values(true)
}

impl<T> FromArgMatches for Given<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Ok(Self { matches: matches.clone(), settings: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        Self::from_arg_matches(matches).map(|given| *self = given)
    }
}

impl<T: Args + Default + fmt::Debug> fmt::Debug for Given<T> {
    /// Shows the settings as they are over the defaults.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.over(T::default()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::cli::Options;

    #[derive(Parser)]
    struct Line {
        #[arg(long)]
        other: bool,
        #[command(flatten)]
        given: Given<Options>,
    }

    #[test]
    fn what_is_given_goes_before_the_file_and_the_file_before_the_defaults() {
        let file = || Options::parse("connections = 2\nmaster-key-file = 'a'", "x.toml".as_ref()).unwrap();
        let with = |words: &[&str]| {
            let line = Line::try_parse_from([&["signwave", "--other"], words].concat()).unwrap();
            assert!(line.other);
            let options = line.given.over(file());
            (options.connections.get(), options.master_key_file.unwrap(), options.log_format)
        };
        let text = Options::default().log_format;
        assert_eq!(with(&[]), (2, "a".into(), text));
        assert_eq!(with(&["--connections", "8", "--master-key-file", "b"]), (8, "b".into(), text));
    }

    #[test]
    fn each_flag_has_a_variable_and_others_have_none() {
        let variable =
            |id| Line::command().get_arguments().find(|arg| arg.get_id() == id)?.get_env().map(Into::into);
        assert_eq!(variable("master_key_file"), Some(std::ffi::OsString::from("SIGNWAVE_MASTER_KEY_FILE")));
        assert_eq!(variable("other"), None);
    }
}
