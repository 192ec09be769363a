//! What an address says about the messages, whatever the broker.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// How messages become records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What the bytes of a message are.
    pub form: Form,
    /// What becomes of a message without a name.
    pub without_id: WithoutId,
}

/// What the bytes of a message are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The payload, byte for byte.
    #[default]
    Payload,
    /// An object with external_id and payload or payload_base64, as 'signwave import' reads it.
    Json,
}

/// What becomes of a message without a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutId {
    /// It is refused, because it could not be told from a new one when it arrives again.
    #[default]
    Refuse,
    /// It becomes a record, and another one each time it arrives.
    Accept,
}

/// An address that cannot be used. The text repeats nothing of the address, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// The scheme is that of no broker.
    #[error("the address of the intake names no known broker: use amqp:// or amqps://")]
    UnknownBroker,
    /// The part before the `?` is not right.
    #[error(
        "the address of the intake cannot be read: use amqp://USER:PASSWORD@HOST:PORT/VHOST?queue=NAME, with %XX for \
         special characters"
    )]
    Unreadable,
    /// There is no queue.
    #[error("the address of the intake names no queue: add ?queue=NAME")]
    NoQueue,
    /// An option is unknown, or given twice.
    #[error(
        "the address of the intake has an unknown option, or one twice: use queue, prefetch, body, without-id and ca"
    )]
    UnknownOption,
    /// An option has a wrong value.
    #[error("the option '{0}' of the address of the intake must be {1}")]
    Value(&'static str, &'static str),
}

impl Options {
    /// Takes the options that every broker has out of a query.
    pub(super) fn take(query: &mut Query) -> Result<Self, BadAddress> {
        let form = match query.take("body").as_deref() {
            None | Some("payload") => Form::Payload,
            Some("json") => Form::Json,
            Some(_) => return Err(BadAddress::Value("body", "payload or json")),
        };
        let without_id = match query.take("without-id").as_deref() {
            None | Some("refuse") => WithoutId::Refuse,
            Some("accept") => WithoutId::Accept,
            Some(_) => return Err(BadAddress::Value("without-id", "refuse or accept")),
        };
        Ok(Self { form, without_id })
    }
}

/// The options of an address, behind its `?`.
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    pub(super) fn parse(text: &str) -> Result<Self, BadAddress> {
        let mut options = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or(BadAddress::UnknownOption)?;
            if options.insert(name.to_owned(), decoded(value)?).is_some() {
                return Err(BadAddress::UnknownOption);
            }
        }
        Ok(Self(options))
    }

    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Nothing must be left, because a mistyped option would otherwise be ignored.
    pub(super) fn end(self) -> Result<(), BadAddress> {
        if self.0.is_empty() { Ok(()) } else { Err(BadAddress::UnknownOption) }
    }
}

/// Decodes `%XX`.
pub(super) fn decoded(text: &str) -> Result<String, BadAddress> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| BadAddress::Unreadable)?;
    if decoded.contains('\0') { Err(BadAddress::Unreadable) } else { Ok(decoded.into_owned()) }
}
