//! Messages that can never become records: each is refused once, with its reason, and holds up no other.

use std::collections::BTreeMap;

use rustix::process::Signal;
use support::sandbox::failed;

use crate::{
    OneBroker, SOON,
    client::{Message, declare, numbered, publish},
    place::Place,
};

/// Good messages with a poisonous one behind each hundred, of each kind in turn.
fn one_percent(kinds: &[fn(usize) -> Message], good: usize) -> Vec<Message> {
    let mut messages = Vec::new();
    for (number, message) in numbered("good", good).into_iter().enumerate() {
        messages.push(message);
        if number % 100 == 99 {
            messages.push(kinds[number / 100 % kinds.len()](number));
        }
    }
    messages
}

fn reasons(place: &Place<'_>) -> BTreeMap<String, usize> {
    let mut reasons = BTreeMap::new();
    for (tries, reason) in place.refused() {
        assert_eq!(tries, 1, "a message that is refused does not come again");
        *reasons.entry(reason).or_default() += 1;
    }
    reasons
}

#[test]
fn each_poisonous_message_is_refused_once_with_its_reason() {
    let (broker, queue) = (OneBroker::take(), "poison");
    let place = Place::postgres();
    place.ok(&["migrate", "--max-payload", "1000"]);
    declare(&broker.url(), queue);
    let kinds: [fn(usize) -> Message; 4] = [
        |number| (None, format!("nameless {number}").into_bytes()),
        |number| (Some(format!("good-{number}")), b"another payload".to_vec()),
        |number| (Some(format!("large-{number}")), vec![b'x'; 1001 + number]),
        |number| (Some(String::new()), format!("no name {number}").into_bytes()),
    ];
    publish(&broker.url(), queue, &one_percent(&kinds, 4000));
    let mut intake = place.take_in(&broker.queue(queue, ""));
    place.until_records(4000);
    place.until_empty(&broker, queue);
    let expected = ["bad-external-id", "conflict", "no-external-id", "too-large"];
    assert_eq!(reasons(&place), expected.map(|reason| (reason.to_owned(), 10)).into());
    intake.signal(Signal::TERM);
    assert_eq!(intake.wait(SOON), Some(0));
    mended(&place);
    place.check();
}

/// What an operator does about them.
fn mended(place: &Place<'_>) {
    let list: Vec<serde_json::Value> = place
        .ok(&["refused", "list", "--json"])
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(list.len(), 40);
    let first = |reason: &str| {
        let row = list.iter().find(|row| row["reason"] == reason).unwrap();
        assert_eq!(row["source"], "rabbitmq:poison");
        row["id"].to_string()
    };
    let fails = |arguments: &[&str]| failed(1, &place.command(arguments).output().unwrap());
    let large = first("too-large");
    assert!(fails(&["refused", "retry", &large]).contains("1 messages stay refused"));
    assert!(fails(&["refused", "retry", &first("conflict")]).contains("stay refused"));
    place.ok(&["refused", "retry", &first("conflict"), "--external-id", "mended"]);
    let nameless = first("no-external-id");
    assert!(place.ok(&["refused", "show", &nameless]).starts_with("nameless "));
    place.ok(&["refused", "retry", &nameless, "--without-id"]);
    assert_eq!(place.records(), 4002);
    assert!(place.names().contains("mended"));
    assert!(fails(&["refused", "show", &nameless]).contains("no refused message has the id"));
    place.ok(&["refused", "drop", &large, "--yes"]);
    assert!(place.ok(&["status"]).contains("refused  37 messages"));
    assert_eq!(place.ok(&["refused", "list"]).lines().count(), 38, "a line for each, and the head");
    place.ok(&["refused", "drop", "--all", "--yes"]);
    assert_eq!(place.refused(), []);
}

#[test]
fn objects_are_read_as_import_reads_them() {
    let (broker, queue, place) = (OneBroker::take(), "objects", Place::sqlite());
    declare(&broker.url(), queue);
    let object = |id: Option<&str>, text: &str| (id.map(str::to_owned), text.as_bytes().to_vec());
    publish(
        &broker.url(),
        queue,
        &[
            object(None, r#"{"external_id": "a", "payload": "text"}"#),
            object(Some("b"), r#"{"payload_base64": "/wA="}"#),
            object(None, r#"{"payload": "nameless"}"#),
            object(Some("c"), r#"{"payload": "#),
            object(Some("d"), "not an object"),
        ],
    );
    let _intake = place.take_in(&broker.queue(queue, "&body=json"));
    place.until_records(2);
    place.until_empty(&broker, queue);
    assert_eq!(place.number("SELECT count(*) FROM record WHERE hex(payload) IN ('FF00', '74657874')"), 2);
    let expected = [("malformed".to_owned(), 2), ("no-external-id".to_owned(), 1)];
    assert_eq!(reasons(&place), expected.into());
}

#[test]
fn messages_without_a_name_are_taken_where_the_address_says_so() {
    let (broker, queue, place) = (OneBroker::take(), "nameless", Place::sqlite());
    declare(&broker.url(), queue);
    publish(&broker.url(), queue, &[(None, b"1".to_vec()), (None, b"1".to_vec())]);
    let _intake = place.take_in(&broker.queue(queue, "&without-id=accept"));
    place.until_records(2);
    place.until_empty(&broker, queue);
    assert_eq!(place.refused(), []);
}

#[test]
fn what_only_the_schema_refuses_holds_up_no_other() {
    let (broker, queue, place) = (OneBroker::take(), "schema", Place::sqlite());
    place.sandbox.sql(
        "CREATE TRIGGER no_seven BEFORE INSERT ON record WHEN NEW.external_id = 'good-7' BEGIN
             SELECT RAISE(ABORT, 'signwave: no seven');
         END",
    );
    declare(&broker.url(), queue);
    publish(&broker.url(), queue, &numbered("good", 300));
    let _intake = place.take_in(&broker.queue(queue, ""));
    place.until_records(299);
    place.until_empty(&broker, queue);
    assert_eq!(place.refused(), [(1, "schema".to_owned())]);
    place.sandbox.sql("DROP TRIGGER no_seven");
    place.ok(&["refused", "retry", "--all"]);
    assert!(place.names().contains("good-7"));
}
