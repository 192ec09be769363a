//! The proxy sees a COMMIT, and the answer to it, in what passes.

use support::proxy::protocol::{Answer, Conversation};

const STARTUP: &[u8] = b"\0\0\0\x09\0\x03\0\0\0";

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind], &(body.len() as u32 + 4).to_be_bytes()[..], body].concat()
}

fn started() -> Conversation {
    let mut conversation = Conversation::default();
    assert!(!conversation.sent(STARTUP, ""));
    conversation
}

#[test]
fn a_commit_is_seen_in_either_protocol_and_in_pieces() {
    let mut conversation = started();
    assert!(!conversation.sent(&message(b'Q', b"BEGIN\0"), ""));
    assert!(conversation.sent(&message(b'Q', b"commit;\0"), ""));
    let prepared = [message(b'P', b"s\0COMMIT\0\0\0"), message(b'B', b"\0s\0\0\0\0\0\0\0")].concat();
    assert!(!conversation.sent(&prepared, ""));
    assert!(conversation.sent(&message(b'E', b"\0\0\0\0\0"), ""));
    let query = message(b'Q', b"COMMIT\0");
    assert!(!conversation.sent(&query[..3], ""));
    assert!(conversation.sent(&query[3..], ""));
}

#[test]
fn a_commit_matters_by_what_its_own_transaction_said() {
    let mut conversation = started();
    conversation.sent(&message(b'P', b"s\0INSERT INTO a\0\0\0"), "INTO a");
    conversation.sent(&message(b'Q', b"BEGIN\0"), "INTO a");
    assert!(!conversation.sent(&message(b'Q', b"COMMIT\0"), "INTO a"), "it was prepared, not run");
    conversation.sent(&message(b'Q', b"BEGIN\0"), "INTO a");
    conversation.sent(&message(b'B', b"\0s\0\0\0\0\0\0\0"), "INTO a");
    conversation.sent(&message(b'E', b"\0\0\0\0\0"), "INTO a");
    assert!(conversation.sent(&message(b'Q', b"COMMIT\0"), "INTO a"));
    conversation.sent(&message(b'Q', b"BEGIN\0"), "INTO a");
    assert!(!conversation.sent(&message(b'Q', b"COMMIT\0"), "INTO a"), "another transaction");
}

#[test]
fn a_withheld_answer_ends_when_the_server_is_ready() {
    let mut conversation = Conversation::default();
    conversation.sent(b"\0\0\0\x08\x04\xd2\x16\x2f", "");
    assert_eq!(conversation.answered(b"N"), Answer::Public);
    conversation.sent(STARTUP, "");
    assert_eq!(conversation.answered(&message(b'Z', b"I")), Answer::Public);
    conversation.withhold();
    let answer = [message(b'C', b"COMMIT\0"), message(b'Z', b"I")].concat();
    assert_eq!(conversation.answered(&answer[..9]), Answer::Unfinished);
    assert_eq!(conversation.answered(&answer[9..]), Answer::Withheld { committed: true });
}
