//! `signwave completions`: what the shell needs to complete commands.

use std::io::{self, Write};

use anyhow::Result;
use clap::{Args, Command};
use clap_complete::Shell;

/// Print shell completions.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  signwave completions bash > ~/.local/share/bash-completion/completions/signwave
  signwave completions zsh > ~/.zfunc/_signwave
  signwave completions fish > ~/.config/fish/completions/signwave.fish")]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Runs the command, for the command line of `program`.
    pub fn run(&self, mut program: Command) -> Result<()> {
        // Generate into memory first, because the generator panics when its output is closed.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut program, "signwave", &mut script);
        io::stdout().lock().write_all(&script)?;
        Ok(())
    }
}
