//! Headers of messages.

use rdkafka::message::{BorrowedMessage, Headers, Message};

/// The header of a CloudEvent's id.
pub const EVENT_ID: &str = "ce_id";

/// What a message has under a name. Of several the last one counts, as Kafka's own clients choose.
pub fn last_header<'a>(message: &'a BorrowedMessage<'_>, name: &str) -> Option<&'a [u8]> {
    message.headers()?.iter().filter(|header| header.key == name).last()?.value
}
