//! Checks a message: it is a record, or there is a reason why not.

use bytes::Bytes;

use super::{
    broker::Message,
    options::{Form, Options, WithoutId},
};
use crate::{
    domain::{DigestAlgorithm, Refusal},
    formats::rows::{Flaw, check_external_id, object},
    signer::digest,
    store::Arrival,
};

/// Of a message that is larger than a record may be, so many bytes are kept.
const EXCERPT: usize = 64 << 10;

/// A checked message. It owns what an [`Arrival`] borrows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    external_id: Option<String>,
    payload: Bytes,
    size: u64,
    digest: [u8; 32],
    refusal: Option<(Refusal, String)>,
}

impl Checked {
    /// Checks a message, whose payload may have `limit` bytes.
    pub fn of(message: Message, options: Options, limit: usize) -> Self {
        let Message { id, body, .. } = message;
        let digest = identity(id.as_deref(), &body);
        let size = body.len() as u64;
        match record(id.as_deref(), &body, options, limit) {
            Ok((external_id, payload)) => {
                // A conflict with a stored record is found later, and keeps the record, not the object around it.
                let size = payload.len() as u64;
                Self { external_id, payload, size, digest, refusal: None }
            }
            Err((reason, words)) => {
                let external_id = id.filter(|id| check_external_id(id).is_ok());
                let kept = if body.len() > limit { body.slice(..EXCERPT.min(limit)) } else { body };
                Self { external_id, payload: kept, size, digest, refusal: Some((reason, words)) }
            }
        }
    }

    /// The same, refused by the schema in these words.
    pub fn refused_by_schema(&self, words: &str) -> Self {
        let fits = |end: &usize| words.is_char_boundary(*end);
        let end = (0..=words.len().min(1024)).rev().find(fits).unwrap_or(0);
        Self { refusal: Some((Refusal::Schema, words[..end].to_owned())), ..self.clone() }
    }

    /// Whether it is a record, as far as is known.
    pub fn is_record(&self) -> bool {
        self.refusal.is_none()
    }

    /// What the store is told.
    pub fn arrival(&self) -> Arrival<'_> {
        Arrival {
            external_id: self.external_id.as_deref(),
            payload: &self.payload,
            size: self.size,
            digest: self.digest,
            refusal: self.refusal.as_ref().map(|(reason, words)| (*reason, words.as_str())),
        }
    }
}

type Named = (Option<String>, Bytes);

/// The name and the payload of the record that a message is.
fn record(
    id: Option<&str>,
    body: &Bytes,
    options: Options,
    limit: usize,
) -> Result<Named, (Refusal, String)> {
    let refused = |flaw: &Flaw| (reason(flaw), flaw.sentence().into_owned());
    let (name, payload) = match options.form {
        Form::Payload if body.len() > limit => return Err(refused(&Flaw::TooLarge(limit))),
        Form::Payload => (None, body.clone()),
        Form::Json => {
            let record = object(body, limit).map_err(|flaw| refused(&flaw))?;
            (record.external_id, Bytes::from(record.payload))
        }
    };
    // The name within the bytes is what the producer has written; that of the message may be a library's.
    let name = name.or_else(|| id.map(str::to_owned));
    match &name {
        Some(name) => check_external_id(name).map_err(|flaw| refused(&flaw))?,
        None if options.without_id == WithoutId::Refuse => {
            let words = "The message has no name. Producers must set one, such as message_id.";
            return Err((Refusal::NoExternalId, words.to_owned()));
        }
        None => {}
    }
    Ok((name, payload))
}

fn reason(flaw: &Flaw) -> Refusal {
    match flaw {
        Flaw::TooLarge(_) => Refusal::TooLarge,
        Flaw::EmptyExternalId | Flaw::LongExternalId(_) | Flaw::NulInExternalId => Refusal::BadExternalId,
        _ => Refusal::Malformed,
    }
}

/// SHA-256 over the digests of the name and of the bytes, so that no name continues in the bytes.
fn identity(id: Option<&str>, body: &[u8]) -> [u8; 32] {
    let sha256 = |bytes: &[u8]| digest(DigestAlgorithm::Sha256, bytes);
    let name = id.map(|id| sha256(id.as_bytes()));
    let parts = [name.as_ref().map_or(&[][..], |name| name.as_bytes()), sha256(body).as_bytes()].concat();
    let mut identity = [0; 32];
    identity.copy_from_slice(sha256(&parts).as_bytes());
    identity
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::Position;

    fn check(id: Option<&str>, body: &[u8], form: Form, without_id: WithoutId) -> Checked {
        let message =
            Message { position: Position(1), id: id.map(str::to_owned), body: Bytes::copy_from_slice(body) };
        Checked::of(message, Options { form, without_id }, 100)
    }

    fn reason_of(checked: &Checked) -> Option<Refusal> {
        checked.refusal.as_ref().map(|(reason, _)| *reason)
    }

    #[test]
    fn the_bytes_of_a_message_are_the_payload_and_its_name_is_the_external_id() {
        let checked = check(Some("a"), b"\0\xff", Form::Payload, WithoutId::Refuse);
        let Arrival { external_id, payload, size, refusal, .. } = checked.arrival();
        assert_eq!((external_id, payload, size, refusal), (Some("a"), &b"\0\xff"[..], 2, None));
        let accepted = check(None, b"x", Form::Payload, WithoutId::Accept);
        assert_eq!((accepted.is_record(), accepted.external_id), (true, None));
    }

    #[test]
    fn an_object_names_its_record_and_otherwise_the_message_does() {
        let json = |id, body: &str| check(id, body.as_bytes(), Form::Json, WithoutId::Refuse);
        let both = json(Some("m"), r#"{"external_id": "a", "payload": "p"}"#);
        assert_eq!((both.external_id.as_deref(), &both.payload[..], both.size), (Some("a"), &b"p"[..], 1));
        assert_eq!(json(Some("m"), r#"{"payload_base64": "/wA="}"#).external_id.as_deref(), Some("m"));
        assert_eq!(reason_of(&json(None, r#"{"payload": "p"}"#)), Some(Refusal::NoExternalId));
    }

    #[test]
    fn each_flaw_has_its_reason_and_what_was_sent_is_kept() {
        let (long, large) = ("x".repeat(1025), "x".repeat(101));
        for (id, body, form, expected) in [
            (None, "p", Form::Payload, Refusal::NoExternalId),
            (Some(""), "p", Form::Payload, Refusal::BadExternalId),
            (Some("a\0b"), "p", Form::Payload, Refusal::BadExternalId),
            (Some(&*long), "p", Form::Payload, Refusal::BadExternalId),
            (Some("a"), &*large, Form::Payload, Refusal::TooLarge),
            (Some("a"), "{", Form::Json, Refusal::Malformed),
            (Some("a"), "{}", Form::Json, Refusal::Malformed),
            (Some("a"), r#"{"external_id": "", "payload": ""}"#, Form::Json, Refusal::BadExternalId),
        ] {
            let checked = check(id, body.as_bytes(), form, WithoutId::Refuse);
            assert_eq!(reason_of(&checked), Some(expected), "{id:?} {body}");
            assert_eq!(checked.size, body.len() as u64);
            assert_eq!(checked.payload, body.as_bytes()[..body.len().min(100)]);
            let can_be_stored = checked.external_id.as_deref().is_none_or(|id| check_external_id(id).is_ok());
            assert!(can_be_stored && checked.arrival().refusal.is_some_and(|(_, words)| words.len() <= 1024));
        }
    }

    #[test]
    fn only_the_same_name_with_the_same_bytes_is_the_same_message() {
        let digest = |id, body: &str| check(id, body.as_bytes(), Form::Payload, WithoutId::Refuse).digest;
        let all =
            [digest(None, "ab"), digest(Some(""), "ab"), digest(Some("a"), "b"), digest(Some("ab"), "")];
        for (place, one) in all.iter().enumerate() {
            assert!(!all[..place].contains(one));
        }
        assert_eq!(digest(Some("a"), "b"), all[2]);
    }
}
