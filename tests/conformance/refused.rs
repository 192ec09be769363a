//! What arrives from a broker: records and refusals in one transaction, and what becomes of the refused.

use signwave::{
    domain::{ArrivalVerdict, AuditId, RecordId, Refusal, RefusedId, RetryVerdict},
    store::{Arrival, RefusedRow, RetryName, Store, StoreError},
};
use support::{store::by, tested_store::TestedStore};

const QUEUE: &str = "rabbitmq:orders";

/// One whose digest is made of its name and its payload.
fn arrival<'a>(external_id: Option<&'a str>, payload: &'a [u8]) -> Arrival<'a> {
    let mut digest = [0; 32];
    let bytes = external_id.unwrap_or("none").bytes().chain([0]).chain(payload.iter().copied());
    bytes.take(32).enumerate().for_each(|(place, byte)| digest[place] = byte);
    Arrival { external_id, payload, size: payload.len() as u64, digest, refusal: None }
}

fn named<'a>(name: &'a str, payload: &'a [u8]) -> Arrival<'a> {
    arrival(Some(name), payload)
}

fn refused<'a>(external_id: Option<&'a str>, payload: &'a [u8], reason: Refusal) -> Arrival<'a> {
    Arrival { refusal: Some((reason, "in words")), ..arrival(external_id, payload) }
}

fn take_in(store: &dyn Store, arrivals: &[Arrival<'_>]) -> Vec<ArrivalVerdict> {
    store.insert_arrivals(QUEUE, arrivals).unwrap()
}

fn all(store: &dyn Store) -> Vec<RefusedRow> {
    store.refused(RefusedId(0), 1000).unwrap()
}

fn first(store: &dyn Store) -> RefusedId {
    all(store)[0].id
}

pub fn what_arrives_becomes_a_record_or_is_refused_in_one_transaction(tested: &TestedStore) {
    let store = &*tested.store;
    assert_eq!(take_in(store, &[]), []);
    let arrivals = [
        named("a", b"1"),
        refused(None, b"nameless", Refusal::NoExternalId),
        named("b", b"2"),
        named("a", b"another"),
        named("b", b"2"),
    ];
    let verdicts = [
        ArrivalVerdict::Record(RecordId(1)),
        ArrivalVerdict::Refused(Refusal::NoExternalId),
        ArrivalVerdict::Record(RecordId(2)),
        ArrivalVerdict::Refused(Refusal::Conflict),
        ArrivalVerdict::AlreadyThere(RecordId(2)),
    ];
    assert_eq!(take_in(store, &arrivals), verdicts);
    let rows = all(store);
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.external_id.as_deref(), row.reason, row.kept, row.size, row.tries))
        .collect();
    assert_eq!(seen.len(), 2);
    assert!(seen.contains(&(None, Refusal::NoExternalId, 8, 8, 1)), "{seen:?}");
    assert!(seen.contains(&(Some("a"), Refusal::Conflict, 7, 7, 1)), "{seen:?}");
    assert!(rows.iter().all(|row| row.source == QUEUE && row.at.ends_with('Z') && !row.detail.is_empty()));
    assert_eq!(store.status().unwrap().refused, 2);
    assert_eq!(store.counts().unwrap().records, 2);
    let payload = |row: &RefusedRow| store.refused_payload(row.id).unwrap().unwrap();
    let mut payloads: Vec<_> = rows.iter().map(payload).collect();
    payloads.sort();
    assert_eq!(payloads, [b"another".to_vec(), b"nameless".to_vec()]);
    assert_eq!(store.refused_payload(RefusedId(99)).unwrap(), None);
}

pub fn what_is_refused_has_one_row_however_often_it_arrives(tested: &TestedStore) {
    let store = &*tested.store;
    take_in(store, &[named("a", b"1")]);
    for _ in 0..3 {
        let poison = [refused(None, b"x", Refusal::Malformed), named("a", b"2"), named("a", b"2")];
        take_in(store, &poison);
    }
    let mut tries: Vec<_> = all(store).iter().map(|row| (row.reason, row.tries)).collect();
    tries.sort();
    assert_eq!(tries, [(Refusal::Conflict, 6), (Refusal::Malformed, 3)]);
    store.insert_arrivals("rabbitmq:another", &[named("a", b"2")]).unwrap();
    assert_eq!(all(store).len(), 3, "another queue has other rows");
    let ids: Vec<_> = all(store).iter().map(|row| row.id).collect();
    assert_eq!(store.refused(ids[0], 1).unwrap()[0].id, ids[1], "in pages");
}

pub fn what_the_schema_refuses_stores_nothing_of_its_chunk(tested: &TestedStore) {
    let store = &*tested.store;
    let large = vec![0; store.payload_limit().unwrap() as usize + 1];
    let arrivals = [named("a", b"1"), refused(None, b"x", Refusal::Malformed), named("b", &large)];
    let result = store.insert_arrivals(QUEUE, &arrivals);
    assert!(matches!(result, Err(StoreError::Refused(_))), "{result:?}");
    assert_eq!((all(store).len(), store.counts().unwrap().records), (0, 0));
}

pub fn a_refused_message_becomes_a_record_when_its_name_is_mended(tested: &TestedStore) {
    let store = &*tested.store;
    take_in(store, &[named("a", b"1"), named("a", b"2"), refused(None, b"3", Refusal::NoExternalId)]);
    let [conflict, nameless] = [Refusal::Conflict, Refusal::NoExternalId]
        .map(|reason| all(store).into_iter().find(|row| row.reason == reason).unwrap().id);
    let retry = |id, name| store.retry_refused(id, name, &by()).unwrap();
    assert_eq!(retry(conflict, RetryName::Kept), RetryVerdict::Conflict);
    assert_eq!(retry(conflict, RetryName::Without), RetryVerdict::Conflict, "its name is not taken away");
    assert_eq!(retry(nameless, RetryName::Kept), RetryVerdict::NoName);
    assert_eq!(retry(nameless, RetryName::New("a")), RetryVerdict::Conflict);
    let tries: Vec<_> = all(store).iter().map(|row| row.tries).collect();
    assert_eq!(tries, [3, 3], "each try is counted");
    assert_eq!(retry(conflict, RetryName::New("a-2")), RetryVerdict::Stored(RecordId(2)));
    assert_eq!(retry(nameless, RetryName::Without), RetryVerdict::Stored(RecordId(3)));
    assert_eq!(retry(conflict, RetryName::Kept), RetryVerdict::NotThere);
    assert_eq!((all(store).len(), store.status().unwrap().refused), (0, 0));
    let mut shown = Vec::new();
    store.read_payloads(&"1-3".parse().unwrap(), &mut |_, _, payload| shown.push(payload.to_vec())).unwrap();
    assert_eq!(shown, [b"1", b"2", b"3"]);
    take_in(store, &[named("a", b"2")]);
    assert_eq!(retry(first(store), RetryName::New("a-2")), RetryVerdict::Stored(RecordId(2)), "it is there");
}

pub fn what_is_no_record_or_not_whole_cannot_be_retried(tested: &TestedStore) {
    let store = &*tested.store;
    let cut = Arrival { size: 100, ..refused(Some("b"), b"begin", Refusal::TooLarge) };
    take_in(store, &[refused(None, b"{", Refusal::Malformed), cut]);
    let mut verdicts: Vec<_> = all(store)
        .iter()
        .map(|row| (row.reason, store.retry_refused(row.id, RetryName::New("c"), &by()).unwrap()))
        .collect();
    verdicts.sort_by_key(|(reason, _)| *reason);
    let expected =
        [(Refusal::TooLarge, RetryVerdict::NotWhole), (Refusal::Malformed, RetryVerdict::Malformed)];
    assert_eq!(verdicts, expected);
    assert_eq!((all(store).len(), store.counts().unwrap().records), (2, 0));
    let row = &all(store)[0];
    assert!(store.drop_refused(row.id, &by()).unwrap());
    assert!(!store.drop_refused(row.id, &by()).unwrap());
    assert_eq!(all(store).len(), 1);
}

pub fn what_people_do_with_refused_messages_is_in_the_log(tested: &TestedStore) {
    let store = &*tested.store;
    take_in(store, &[named("a", b"1"), named("a", b"22"), refused(None, b"3", Refusal::NoExternalId)]);
    let [conflict, nameless] = [Refusal::Conflict, Refusal::NoExternalId]
        .map(|reason| all(store).into_iter().find(|row| row.reason == reason).unwrap().id);
    let retry = |id, name| store.retry_refused(id, name, &by()).unwrap();
    retry(conflict, RetryName::Kept);
    retry(RefusedId(99), RetryName::Kept);
    store.drop_refused(RefusedId(99), &by()).unwrap();
    assert!(store.audit_log(AuditId(0), 9).unwrap().is_empty(), "nothing was changed");
    assert_eq!(retry(conflict, RetryName::New("a-2")), RetryVerdict::Stored(RecordId(2)));
    assert!(store.drop_refused(nameless, &by()).unwrap());
    take_in(store, &[refused(None, b"3", Refusal::NoExternalId)]);
    assert_eq!(retry(first(store), RetryName::Without), RetryVerdict::Stored(RecordId(3)));
    let log = store.audit_log(AuditId(0), 9).unwrap();
    let seen: Vec<_> = log
        .iter()
        .map(|row| {
            [&row.action, &row.object, row.before.as_ref().unwrap(), row.after.as_ref().unwrap()]
                .map(String::as_str)
        })
        .collect();
    let [conflict, nameless] = [conflict, nameless].map(|id| id.to_string());
    let no_name = "no-external-id: no name, 1 bytes from rabbitmq:orders";
    assert_eq!(
        seen[..2],
        [
            ["refused.retry", &conflict, "conflict: a, 2 bytes from rabbitmq:orders", "record 2: a-2"],
            ["refused.drop", &nameless, no_name, "dropped"],
        ]
    );
    assert_eq!((seen[2][0], seen[2][2], seen[2][3]), ("refused.retry", no_name, "record 3"));
    assert!(log.iter().all(|row| row.who == by().who));
}
