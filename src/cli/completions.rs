//! `signwave completions`: what the shell needs to complete commands.

use std::io::{self, Write};

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::args::Cli;

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
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        // Into memory first: the generator panics when its output goes away.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "signwave", &mut script);
        io::stdout().lock().write_all(&script)?;
        Ok(())
    }
}
