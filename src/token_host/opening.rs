//! Opens a token: loads the module, finds the token, logs in, opens sessions.

use std::{mem, path::Path, sync::Arc};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    session::{Session as Raw, UserType},
    slot::{Slot, TokenInfo},
    types::RawAuthPin,
};

use super::{
    fault::{of_login, of_token, precedes_login, words},
    keys::Keys,
    session::Session,
};
use crate::signer::{
    read_secret_file,
    token::protocol::{Answer, Fault, Start},
};

/// One byte more than the longest PIN file that is read.
const MAX_PIN_FILE: usize = 4097;

/// Opens as many sessions as are wanted, or as the token allows, which is at least one. They stay open and logged in
/// as long as this process lives, because the login ends with the last session.
pub(super) fn open(start: &Start, tell: impl Fn(Answer)) -> Result<Vec<Session>, Fault> {
    let module = load(&start.module)?;
    let (slot, token) = find(&module, start)?;
    check_pin_flags(&token, start.is_cautious)?;
    let pin = read_pin(&start.pin_file)?;
    let first =
        open_session(&module, slot).map_err(|error| of_token("no session could be opened", &error))?;
    login(&first, pin, start, tell)?;
    let mut raw = vec![first];
    while raw.len() < start.sessions {
        match open_session(&module, slot) {
            Ok(session) => raw.push(session),
            // The first one works, so this is the limit, whatever the error.
            Err(error) => {
                eprintln!("only {} sessions can be open: {}", raw.len(), words(&error));
                break;
            }
        }
    }
    let keys = Arc::new(Keys::default());
    let count = raw.len();
    let session = |raw| Session::new(module.clone(), slot, raw, Arc::clone(&keys), count);
    Ok(raw.into_iter().map(session).collect())
}

fn load(path: &Path) -> Result<Pkcs11, Fault> {
    let shown = path.display();
    let module = Pkcs11::new(path).map_err(|error| {
        Fault::custodian(format!(
            "the module '{shown}' cannot be loaded: {error}; check 'module' in its settings"
        ))
    })?;
    // The library stays loaded until this process ends, whatever is dropped before.
    mem::forget(module.clone());
    module
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .map_err(|error| of_token(&format!("the module '{shown}' cannot be initialized"), &error))?;
    Ok(module)
}

/// Finds the token by its label and serial number. The number of a slot changes when devices come and go.
fn find(module: &Pkcs11, start: &Start) -> Result<(Slot, TokenInfo), Fault> {
    let slots =
        module.get_slots_with_token().map_err(|error| of_token("its slots cannot be listed", &error))?;
    let mut present = Vec::new();
    let mut found = Vec::new();
    for slot in slots {
        // A slot without a token that can be read is someone else's trouble.
        let Ok(token) = module.get_token_info(slot) else { continue };
        let is_meant =
            |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is.trim());
        if is_meant(&start.label, token.label()) && is_meant(&start.serial, token.serial_number()) {
            found.push((slot, token));
        } else if token.token_initialized() {
            present.push(format!(
                "'{}' with serial number '{}'",
                token.label().trim(),
                token.serial_number().trim()
            ));
        }
    }
    let wanted = [("label", &start.label), ("serial number", &start.serial)];
    let wanted = wanted.iter().filter_map(|(what, value)| Some(format!("{what} '{}'", value.as_ref()?)));
    let wanted = wanted.collect::<Vec<_>>().join(" and ");
    match (found.pop(), found.len()) {
        (Some(found), 0) => Ok(found),
        (Some(_), others) => Err(Fault::custodian(format!(
            "{} tokens have the {wanted}: name the serial number of one in its settings",
            others + 1
        ))),
        (None, _) => {
            let present = if present.is_empty() { "no token".to_owned() } else { present.join(", ") };
            Err(Fault::custodian(format!(
                "no token has the {wanted}: connect it, or correct its settings (the module shows {present})"
            )))
        }
    }
}

/// A token locks after a few wrong PINs. Its flags say how near that is.
fn check_pin_flags(token: &TokenInfo, is_cautious: bool) -> Result<(), Fault> {
    if token.user_pin_locked() {
        return Err(Fault::pin("the PIN is locked: have the token's security officer unlock it"));
    }
    if token.user_pin_final_try() {
        return Err(Fault::pin(
            "one more wrong PIN would lock the token: log in once with another tool, such as 'pkcs11-tool --login \
             --test', to be sure of the PIN",
        ));
    }
    if is_cautious && token.user_pin_count_low() {
        return Err(Fault::pin(
            "a login has failed since the last one that worked: log in once with another tool, such as 'pkcs11-tool \
             --login --test', to be sure of the PIN",
        ));
    }
    Ok(())
}

/// The first line of the file, without its end.
fn read_pin(path: &Path) -> Result<RawAuthPin, Fault> {
    let file = read_secret_file(path, MAX_PIN_FILE).map_err(|error| Fault::custodian(error.to_string()))?;
    let line = file.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let pin = line.strip_suffix(b"\r").unwrap_or(line);
    if pin.is_empty() || file.len() == MAX_PIN_FILE {
        return Err(Fault::custodian(format!(
            "the first line of '{}' is not a PIN: write it there",
            path.display()
        )));
    }
    Ok(RawAuthPin::new(Box::new(pin.to_vec())))
}

/// Some tokens allow no session that only reads, others none that writes.
fn open_session(module: &Pkcs11, slot: Slot) -> Result<Raw, Error> {
    match module.open_rw_session(slot) {
        Err(Error::Pkcs11(RvError::TokenWriteProtected | RvError::SessionReadOnly, _)) => {
            module.open_ro_session(slot)
        }
        opened => opened,
    }
}

fn login(session: &Raw, pin: RawAuthPin, start: &Start, tell: impl Fn(Answer)) -> Result<(), Fault> {
    tell(Answer::LoggingIn);
    match session.login_with_raw(UserType::User, &pin) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
            tell(Answer::LoggedIn);
            Ok(())
        }
        Err(error) => {
            if precedes_login(&error) {
                tell(Answer::NotLoggedIn);
            }
            Err(of_login(&start.pin_file.display().to_string(), &error))
        }
    }
}
