//! What an address says about the messages, whatever the broker.

use crate::brokers::{BadAddress, Query};

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

impl Options {
    /// Takes how many messages of a broker wait in memory, at most, out of a query. Unless it is given, they are two chunks:
    /// one that is stored, and one that arrives.
    pub(super) fn take_prefetch(query: &mut Query) -> Result<u16, BadAddress> {
        let Some(text) = query.take("prefetch") else { return Ok(Self::PREFETCH) };
        let count = text.parse().ok().filter(|count| *count > 0);
        count.ok_or(BadAddress::Value("prefetch", "from 1 to 65535"))
    }

    /// Unless an address says otherwise.
    pub(super) const PREFETCH: u16 = 2000;

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
