//! Frames: the text of one Server-Sent Event.

use actix_web::web::Bytes;
use humantime::format_rfc3339_millis;
use serde::Serialize;
use serde_json::json;

use crate::actors::events::{Event, Happened};

/// A comment, which clients ignore: it keeps proxies from closing a silent connection.
pub const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// What every stream begins with: after how many milliseconds the client is to connect again.
pub const RETRY: Bytes = Bytes::from_static(b"retry: 2000\n\n");

/// An event of a kind that clients can choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The kind.
    pub kind: &'static str,
    /// The text.
    pub text: Bytes,
}

impl Frame {
    /// An event without an id: after a reconnection it is not sent again.
    pub fn passing(kind: &'static str, data: &impl Serialize) -> Self {
        Self { kind, text: text(kind, None, data) }
    }

    /// An event that a client which reconnects gets again. `run` tells the events of one process from those of others.
    pub fn lasting(run: u32, happened: &Happened) -> Self {
        let (kind, mut data) = match &happened.event {
            Event::KeySuspended { key, reason } => {
                ("key-suspended", json!({ "key_id": key.to_string(), "reason": reason }))
            }
            Event::Fenced { batch, epoch } => {
                ("fenced", json!({ "batch": batch.to_string(), "epoch": epoch.to_string() }))
            }
            Event::Refused { batch } => ("refused", json!({ "batch": batch.to_string() })),
            Event::WebhookDisabled { webhook, reason } => {
                ("webhook-disabled", json!({ "webhook": webhook, "reason": reason }))
            }
            Event::DatabaseAway => ("database-away", json!({})),
            Event::DatabaseBack => ("database-back", json!({})),
        };
        data["at"] = format_rfc3339_millis(happened.at).to_string().into();
        Self { kind, text: text(kind, Some(format!("{run:08x}-{}", happened.number)), &data) }
    }
}

/// Every kind of event.
pub const KINDS: [&str; 8] = [
    "status",
    "signed",
    "key-suspended",
    "fenced",
    "refused",
    "webhook-disabled",
    "database-away",
    "database-back",
];

/// The number of an event of this run in the id that a client saw last; `None` for an id of another run.
pub fn number(run: u32, id: &str) -> Option<u64> {
    let number = id.strip_prefix(&format!("{run:08x}-"))?;
    number.parse().ok().filter(|_| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// JSON has no line breaks, so that the data are one line.
fn text(kind: &str, id: Option<String>, data: &impl Serialize) -> Bytes {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    let data = serde_json::to_string(data).expect("the API's types can be written as JSON");
    format!("{id}event: {kind}\ndata: {data}\n\n").into()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::domain::{BatchId, Epoch, KeyId};

    #[test]
    fn an_event_is_three_lines_and_a_blank_one() {
        let event = Event::KeySuspended { key: KeyId(7), reason: "a\n\"b\"".to_owned() };
        let frame = Frame::lasting(0xab, &Happened { number: 12, at: UNIX_EPOCH, event });
        assert_eq!(
            frame.text,
            "id: 000000ab-12\nevent: key-suspended\n\
             data: {\"at\":\"1970-01-01T00:00:00.000Z\",\"key_id\":\"7\",\"reason\":\"a\\n\\\"b\\\"\"}\n\n"
        );
        assert_eq!(number(0xab, "000000ab-12"), Some(12));
        for id in ["", "12", "000000ac-12", "000000ab-", "000000ab--1", "000000ab-+1", "000000ab-1x"] {
            assert_eq!(number(0xab, id), None, "{id}");
        }
    }

    #[test]
    fn every_kind_can_be_chosen() {
        let events = [
            Event::KeySuspended { key: KeyId(1), reason: String::new() },
            Event::Fenced { batch: BatchId(1), epoch: Epoch(1) },
            Event::Refused { batch: BatchId(1) },
            Event::WebhookDisabled { webhook: String::new(), reason: String::new() },
            Event::DatabaseAway,
            Event::DatabaseBack,
        ];
        let kinds =
            events.map(|event| Frame::lasting(0, &Happened { number: 1, at: UNIX_EPOCH, event }).kind);
        assert_eq!(kinds, KINDS[2..]);
    }
}
