//! Finds private keys, and keeps their handles.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use cryptoki::{
    error::Error,
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::Session,
};

use super::fault::of_token;
use crate::signer::token::{
    Location,
    protocol::{Answer, Bytes, Fault, KeyAddress, TokenKey, Wanted},
};

/// The most objects that a search looks at. A module that finds more without end must not fill the memory.
const OBJECTS_AT_MOST: usize = 20_000;

/// The handles of keys that were found. They are good for one login, and this process logs in once.
#[derive(Default)]
pub(super) struct Keys(Mutex<HashMap<KeyAddress, ObjectHandle>>);

impl Keys {
    /// The handle of a key, which is looked for once.
    pub(super) fn handle(&self, session: &Session, key: &KeyAddress) -> Result<ObjectHandle, Fault> {
        if let Some(handle) = self.lock().get(key) {
            return Ok(*handle);
        }
        let handle = self.find(session, key)?;
        self.lock().insert(key.clone(), handle);
        Ok(handle)
    }

    /// Forgets a handle that names nothing now.
    pub(super) fn forget(&self, key: &KeyAddress) {
        self.lock().remove(key);
    }

    /// Sends every private key with this id and label.
    pub(super) fn list(
        &self,
        session: &Session,
        wanted: &Wanted,
        tell: impl Fn(Answer),
    ) -> Result<(), Fault> {
        let id = wanted.id.as_ref().map(|id| id.0.as_slice());
        for handle in search(session, id, wanted.label.as_deref())? {
            tell(Answer::Key(describe(session, handle)?));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<KeyAddress, ObjectHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Exactly one key must be there, with the right modulus: a wrong object would sign, too.
    fn find(&self, session: &Session, key: &KeyAddress) -> Result<ObjectHandle, Fault> {
        let location = &key.location;
        let found = search(session, location.id(), location.label())?;
        match found.as_slice() {
            [handle] => match describe(session, *handle)? {
                TokenKey { is_rsa: false, .. } => Err(Fault::key(format!("'{location}' is not an RSA key"))),
                TokenKey { modulus: Some(modulus), .. } if modulus != key.modulus => Err(Fault::key(
                    format!("'{location}' is another key now: retire this one, and add that one"),
                )),
                // A modulus that is not shown is not another one. The service verifies each signature.
                _ => Ok(*handle),
            },
            [] => self.missing(session, location),
            found => Err(Fault::key(format!(
                "the token has {} private keys '{location}', so that it is not certain which is meant: give each \
                 another id or label",
                found.len()
            ))),
        }
    }

    /// A key that is not there. If no other is there either, the token is to blame: it may have been exchanged, or its
    /// storage has gone.
    fn missing(&self, session: &Session, location: &Location) -> Result<ObjectHandle, Fault> {
        let known = self.lock().iter().next().map(|(key, handle)| (key.clone(), *handle));
        let is_there = match known {
            Some((key, handle)) => {
                describe(session, handle)?.modulus.is_none_or(|modulus| modulus == key.modulus)
            }
            None => !search(session, None, None)?.is_empty(),
        };
        Err(if is_there {
            Fault::key(format!("the token has no private key '{location}': restore it, or retire the key"))
        } else {
            Fault::custodian("the token shows no private key: restore its keys, or connect the right token")
        })
    }
}

/// The handles of the private keys with this id and label.
fn search(session: &Session, id: Option<&[u8]>, label: Option<&str>) -> Result<Vec<ObjectHandle>, Fault> {
    let mut template = vec![Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Token(true)];
    template.extend(id.map(|id| Attribute::Id(id.to_vec())));
    template.extend(label.map(|label| Attribute::Label(label.as_bytes().to_vec())));
    let failed = |error: Error| of_token("its keys cannot be listed", &error);
    let found = session.iter_objects(&template).map_err(failed)?;
    found.take(OBJECTS_AT_MOST).collect::<Result<_, _>>().map_err(failed)
}

/// What a token says of a private key. It may leave out anything.
pub(super) fn describe(session: &Session, handle: ObjectHandle) -> Result<TokenKey, Fault> {
    let failed = |error: Error| of_token("a key cannot be looked at", &error);
    let mut key = TokenKey::default();
    // The numbers are asked for apart, because a key of another type does not have them.
    let about = [
        AttributeType::Id,
        AttributeType::Label,
        AttributeType::KeyType,
        AttributeType::Sign,
        AttributeType::Sensitive,
        AttributeType::Extractable,
        AttributeType::AlwaysAuthenticate,
    ];
    for attribute in attributes(session, handle, &about).map_err(failed)? {
        match attribute {
            Attribute::Id(id) => key.id = Bytes(id),
            Attribute::Label(label) => key.label = Bytes(label),
            Attribute::KeyType(kind) => key.is_rsa = kind == KeyType::RSA,
            Attribute::Sign(is) => key.signs = Some(is),
            Attribute::Sensitive(is) => key.is_sensitive = Some(is),
            Attribute::Extractable(is) => key.is_extractable = Some(is),
            Attribute::AlwaysAuthenticate(is) => key.always_authenticates = Some(is),
            _ => {}
        }
    }
    if key.is_rsa {
        let numbers = [AttributeType::Modulus, AttributeType::PublicExponent];
        for attribute in attributes(session, handle, &numbers).map_err(failed)? {
            match attribute {
                Attribute::Modulus(modulus) => key.modulus = number(modulus),
                Attribute::PublicExponent(exponent) => key.exponent = number(exponent),
                _ => {}
            }
        }
    }
    if key.is_rsa && (key.modulus.is_none() || key.exponent.is_none()) {
        public_half(session, &mut key)?;
    }
    Ok(key)
}

/// The attributes that the token shows. A value of a wrong form counts as not shown, and hides no other.
fn attributes(
    session: &Session,
    handle: ObjectHandle,
    wanted: &[AttributeType],
) -> Result<Vec<Attribute>, Error> {
    match session.get_attributes(handle, wanted) {
        Err(error) if !matches!(error, Error::Pkcs11(..)) => {
            let each = wanted.iter().map(|one| session.get_attributes(handle, &[*one]).unwrap_or_default());
            Ok(each.flatten().collect())
        }
        shown => shown,
    }
}

/// Takes the numbers from the public key with the same id, if there is exactly one.
fn public_half(session: &Session, key: &mut TokenKey) -> Result<(), Fault> {
    if key.id.0.is_empty() {
        return Ok(());
    }
    let failed = |error: Error| of_token("a public key cannot be looked at", &error);
    let template = [Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Id(key.id.0.clone())];
    let found = session.find_objects(&template).map_err(failed)?;
    let [handle] = found.as_slice() else { return Ok(()) };
    let numbers = [AttributeType::Modulus, AttributeType::PublicExponent];
    for attribute in attributes(session, *handle, &numbers).map_err(failed)? {
        match attribute {
            Attribute::Modulus(modulus) => key.modulus = key.modulus.take().or_else(|| number(modulus)),
            Attribute::PublicExponent(exponent) => {
                key.exponent = key.exponent.take().or_else(|| number(exponent));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A number without leading zeros. An empty one is none: some tokens answer so for what they do not have.
fn number(bytes: Vec<u8>) -> Option<Bytes> {
    let start = bytes.iter().position(|byte| *byte != 0)?;
    Some(Bytes(bytes[start..].to_vec()))
}
