//! What `custody check` says of a directory of key files.

use std::io::Write;

use anyhow::Result;

use super::compared::Compared;
use crate::{formats::shown::field, signer::KeyFiles, store::KeyRow};

/// Looks at each file, and then for keys of the database that are in none. Returns the number of problems.
pub(super) fn check(name: &str, files: &KeyFiles, keys: &[KeyRow], out: &mut impl Write) -> Result<usize> {
    writeln!(out, "custodian {name}: the files in '{}'", files.directory().display())?;
    let names = match files.names() {
        Ok(names) => names,
        Err(error) => {
            writeln!(out, "  {error}")?;
            return Ok(1);
        }
    };
    let (mut stored, mut wrong) = (Compared::new(name, keys), 0);
    for file in names {
        let shown = field(&file);
        match files.key(&file).map(|key| key.public_key().fingerprint()) {
            Err(error) => {
                wrong += 1;
                writeln!(out, "  {shown}: {error}")?;
            }
            Ok(fingerprint) => writeln!(out, "  {shown}: {}", stored.found(fingerprint, &shown).words)?,
        }
    }
    Ok(wrong + stored.print_missing("no file has it: restore the file, or retire the key", out)?)
}
