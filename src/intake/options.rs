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
