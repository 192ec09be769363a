//! Asking before something final.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Result, bail};

use super::failure::Usage;

/// Returns when `yes` was given, or a person at the terminal says so.
///
/// # Errors
/// When the answer is no, or nobody can be asked.
pub fn confirm(what: &str, yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        bail!(Usage(format!("{what}: add --yes to confirm")));
    }
    eprint!("{what}. Continue? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        bail!("nothing was changed: not confirmed")
    }
}
