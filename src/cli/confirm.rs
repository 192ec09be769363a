//! Asking before something final.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Result, bail};

use super::failure::Usage;

/// Returns when `yes` is set, or the user at the terminal confirms.
///
/// # Errors
/// When the answer is no, or standard input is not a terminal.
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
        bail!("not confirmed: nothing was changed")
    }
}
