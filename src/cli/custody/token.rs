//! What `custody check` says of a hardware token.

use std::io::Write;

use anyhow::Result;
use data_encoding::HEXLOWER;

use super::compared::{Compared, Found};
use crate::{
    cli::context::TokenPlace,
    formats::shown::{field, plain},
    signer::{
        SignerError,
        token::{Candidate, TokenAccess, protocol::Description},
    },
    store::KeyRow,
};

/// Opens the token, looks at what it can do and at each of its keys, and then for keys of the database that it does not
/// have. Returns the number of problems.
pub(super) fn check(name: &str, place: &TokenPlace, keys: &[KeyRow], out: &mut impl Write) -> Result<usize> {
    let opened = place.open().and_then(|token| Ok((token.describe()?, token.list(None, None)?, token)));
    let (description, found, token) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            writeln!(
                out,
                "custodian {name}: a hardware token, behind '{}'",
                place.settings().module.display()
            )?;
            writeln!(out, "  {}", field_of(&error))?;
            return Ok(1);
        }
    };
    let mut wrong = describe(name, &description, place.settings().sessions, out)?;
    let (mut stored, mut is_tried) = (Compared::new(name, keys), false);
    for key in &found {
        let id = HEXLOWER.encode(&key.id.0);
        let shown = format!("id {id}, label '{}'", field(&String::from_utf8_lossy(&key.label.0)));
        let candidate = match Candidate::of(name, key, &found) {
            Ok(candidate) => candidate,
            Err(error) => {
                writeln!(out, "  {shown}: cannot be added: {}", field_of(&error))?;
                continue;
            }
        };
        let which = if id.is_empty() { "--label LABEL".to_owned() } else { format!("--id {id}") };
        let Found { words, is_elsewhere } = stored.found(candidate.public_key.fingerprint(), &which);
        writeln!(out, "  {shown}: {words}")?;
        if !is_elsewhere {
            wrong += warn_or_try(&token, &candidate, &mut is_tried, out)?;
        }
    }
    let missing = "the token does not have it, or it cannot be used: restore it, or retire the key";
    Ok(wrong + stored.print_missing(missing, out)?)
}

fn describe(name: &str, token: &Description, wanted: usize, out: &mut impl Write) -> Result<usize> {
    let Description { library, label, serial, model, sessions, sessions_at_most, mechanisms, warnings } =
        token;
    writeln!(out, "custodian {name}: the token '{}', serial number '{}'", field(label), field(serial))?;
    writeln!(out, "  {}, behind {}", field(model), field(library))?;
    let limit = sessions_at_most.map_or_else(String::new, |most| format!("; the token allows {most}"));
    writeln!(out, "  {sessions} sessions of {wanted} in the settings{limit}")?;
    let mut wrong = 0;
    if *sessions < wanted {
        wrong += 1;
        writeln!(out, "  the token allows no more now: lower sessions, or close those of other programs")?;
    }
    for (mechanism, _) in mechanisms.iter().filter(|(_, is_there)| !is_there) {
        writeln!(out, "  the token does not list the mechanism {}", field(mechanism))?;
    }
    for warning in warnings {
        wrong += 1;
        writeln!(out, "  {}", field(warning))?;
    }
    Ok(wrong)
}

/// Prints what is not safe about a key, and tries the first one. Returns the number of problems.
fn warn_or_try(
    token: &TokenAccess,
    candidate: &Candidate,
    is_tried: &mut bool,
    out: &mut impl Write,
) -> Result<usize> {
    for warning in &candidate.warnings {
        writeln!(out, "    {warning}")?;
    }
    if std::mem::replace(is_tried, true) {
        return Ok(0);
    }
    match candidate.try_schemes(token).and_then(|()| candidate.rate(token)) {
        Ok(rate) => {
            writeln!(out, "    signs with all six schemes, {rate:.0} times a second with one session")?;
            Ok(0)
        }
        Err(error) => {
            writeln!(out, "    {}", field_of(&error))?;
            Ok(1)
        }
    }
}

/// An error, which may contain what a library says.
fn field_of(error: &SignerError) -> String {
    plain(&error.to_string())
}
