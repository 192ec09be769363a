//! Messages: what is sent, and how it is signed.

use serde::Serialize;
use serde_json::json;

use crate::{
    domain::{FeedId, Place, Position, WebhookName},
    signer::{WebhookSecret, random_secret},
};

/// A message. Its id and its body are the same each time it is sent.
pub(super) struct Message {
    /// The header `webhook-id`.
    pub(super) id: String,
    /// JSON.
    pub(super) body: Vec<u8>,
}

/// The form that Standard Webhooks 1.0.0 recommends.
#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    timestamp: &'a str,
    data: serde_json::Value,
}

impl Message {
    /// Says that signatures are available up to `newest`, where a batch was signed at `signed_at`.
    pub(super) fn available(feed: FeedId, newest: Place, signed_at: &str) -> Self {
        let position = Position::behind(feed, newest).to_string();
        // A '.' separates what is signed, so an id has none.
        let id = format!("msg_{}", position.replace('.', "_"));
        let data = json!({ "feed": feed.to_string(), "position": position });
        Self::of(id, "signatures.available", signed_at, data)
    }

    /// A message that asks for nothing.
    pub(super) fn test(webhook: &WebhookName, now: &str) -> Self {
        let random: String = random_secret::<12>().iter().map(|byte| format!("{byte:02x}")).collect();
        Self::of(format!("test_{random}"), "webhook.test", now, json!({ "webhook": webhook.as_str() }))
    }

    fn of(id: String, r#type: &'static str, timestamp: &str, data: serde_json::Value) -> Self {
        let body = serde_json::to_vec(&Body { r#type, timestamp, data });
        Self { id, body: body.expect("texts can be written as JSON") }
    }

    /// The header `webhook-signature`: one signature for each secret.
    pub(super) fn signatures(&self, secrets: &[WebhookSecret], timestamp: u64) -> String {
        let signatures: Vec<_> =
            secrets.iter().map(|secret| secret.sign(&self.id, timestamp, &self.body)).collect();
        signatures.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_place_is_the_same_message() {
        let feed = "5f3c09a1be72".parse().unwrap();
        let message = Message::available(feed, Place(41), "2026-11-22T12:00:00.000Z");
        assert_eq!(message.id, "msg_5f3c09a1be72_41");
        assert_eq!(
            String::from_utf8(message.body.clone()).unwrap(),
            r#"{"type":"signatures.available","timestamp":"2026-11-22T12:00:00.000Z","data":{"feed":"5f3c09a1be72","position":"5f3c09a1be72.41"}}"#
        );
        let again = Message::available(feed, Place(41), "2026-11-22T12:00:00.000Z");
        assert_eq!((again.id, again.body), (message.id, message.body));
    }

    #[test]
    fn each_secret_signs_and_no_two_tests_are_the_same_message() {
        let webhook = "a".parse().unwrap();
        let (one, other) = (Message::test(&webhook, "now"), Message::test(&webhook, "now"));
        assert!(one.id != other.id && !one.id.contains('.'));
        let secrets = [WebhookSecret::generate(), WebhookSecret::generate()];
        let signatures = one.signatures(&secrets, 7);
        let expected = secrets.iter().map(|secret| secret.sign(&one.id, 7, &one.body));
        assert_eq!(
            signatures.split(' ').map(str::to_owned).collect::<Vec<_>>(),
            expected.collect::<Vec<_>>()
        );
    }
}
