//! Records: verdicts, and payloads byte for byte.

use signwave::{
    domain::{InsertVerdict, RecordId, Runs},
    store::{NewRecord, OnConflict, StoreError},
};
use support::{store::add_records, tested_store::TestedStore};

fn named<'a>(external_id: &'a str, payload: &'a [u8]) -> NewRecord<'a> {
    NewRecord { external_id: Some(external_id), payload }
}

pub fn records_get_rising_ids_and_named_ones_are_added_once(tested: &TestedStore) {
    let store = &*tested.store;
    assert_eq!(store.insert_records(&[], OnConflict::Stop).unwrap(), []);
    assert_eq!(add_records(store, 2), [RecordId(1), RecordId(2)]);
    let records = [named("a", b"1"), named("b", b"1"), named("a", b"1")];
    assert_eq!(
        store.insert_records(&records, OnConflict::Stop).unwrap(),
        [
            InsertVerdict::Inserted(RecordId(3)),
            InsertVerdict::Inserted(RecordId(4)),
            InsertVerdict::AlreadyThere(RecordId(3))
        ]
    );
    assert_eq!(
        store.insert_records(&records, OnConflict::Stop).unwrap(),
        [3, 4, 3].map(|id| InsertVerdict::AlreadyThere(RecordId(id)))
    );
    assert_eq!(add_records(store, 1), [RecordId(5)], "a record that is skipped takes no id");
}

pub fn a_payload_at_the_limit_is_stored_and_a_larger_one_is_refused(tested: &TestedStore) {
    let store = &*tested.store;
    let limit = store.payload_limit().unwrap() as usize;
    assert_eq!(limit, 16 << 20);
    let payload = vec![b'x'; limit + 1];
    let error = store.insert_records(&[named("a", &payload)], OnConflict::Stop).unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error}");
    assert_eq!(store.counts().unwrap().records, 0);
    let verdicts = store.insert_records(&[named("a", &payload[..limit])], OnConflict::Stop).unwrap();
    assert!(matches!(verdicts[..], [InsertVerdict::Inserted(_)]), "{verdicts:?}");
}

pub fn a_conflict_ends_the_insert_and_what_came_before_it_is_stored(tested: &TestedStore) {
    let store = &*tested.store;
    store.insert_records(&[named("a", b"1")], OnConflict::Stop).unwrap();
    let records = [named("b", b"2"), named("a", b"other"), named("c", b"3")];
    assert_eq!(
        store.insert_records(&records, OnConflict::Stop).unwrap(),
        [InsertVerdict::Inserted(RecordId(2)), InsertVerdict::Conflict]
    );
    assert_eq!(store.counts().unwrap().records, 2);
    let mut shown = Vec::new();
    store.read_payloads(&"1-2".parse().unwrap(), &mut |_, _, payload| shown.push(payload.to_vec())).unwrap();
    assert_eq!(shown, [b"1", b"2"], "nothing was overwritten");
    let both = store.insert_records(&[named("a", b"1"), named("a", b"other")], OnConflict::Stop).unwrap();
    let there = InsertVerdict::AlreadyThere(RecordId(1));
    assert_eq!(both, [there, InsertVerdict::Conflict], "each by itself");
}

pub fn a_conflict_does_not_end_the_insert_if_the_caller_wants_the_rest(tested: &TestedStore) {
    let store = &*tested.store;
    store.insert_records(&[named("a", b"1")], OnConflict::Continue).unwrap();
    let records = [
        named("b", b"2"),
        named("a", b"other"),
        named("b", b"other"),
        NewRecord { external_id: None, payload: b"3" },
        named("b", b"2"),
        named("a", b"1"),
        named("c", b"4"),
    ];
    let there = |id| InsertVerdict::AlreadyThere(RecordId(id));
    assert_eq!(
        store.insert_records(&records, OnConflict::Continue).unwrap(),
        [
            InsertVerdict::Inserted(RecordId(2)),
            InsertVerdict::Conflict,
            InsertVerdict::Conflict,
            InsertVerdict::Inserted(RecordId(3)),
            there(2),
            there(1),
            InsertVerdict::Inserted(RecordId(4)),
        ]
    );
    let mut shown = Vec::new();
    store.read_payloads(&"1-4".parse().unwrap(), &mut |_, _, payload| shown.push(payload.to_vec())).unwrap();
    assert_eq!(shown, [b"1", b"2", b"3", b"4"], "nothing was overwritten");
}

pub fn payloads_are_read_byte_for_byte_in_order(tested: &TestedStore) {
    let store = &*tested.store;
    let payloads: [&[u8]; 5] = [b"", b"\0a\0", "é'\"".as_bytes(), &[0xff; 10_000], b"last"];
    let records = payloads.map(|payload| NewRecord { external_id: None, payload });
    store.insert_records(&records, OnConflict::Stop).unwrap();
    let mut shown = Vec::new();
    store
        .read_payloads(&"1-5".parse().unwrap(), &mut |id, _, payload| shown.push((id, payload.to_vec())))
        .unwrap();
    let expected = payloads.iter().zip(1..).map(|(payload, id)| (RecordId(id), payload.to_vec()));
    assert_eq!(shown, expected.collect::<Vec<_>>());
    shown.clear();
    store
        .read_payloads(&"2,4-5".parse().unwrap(), &mut |id, _, payload| shown.push((id, payload.to_vec())))
        .unwrap();
    assert_eq!(shown.iter().map(|(id, _)| id.0).collect::<Vec<_>>(), [2, 4, 5]);
}

pub fn reading_a_payload_that_is_missing_is_an_error(tested: &TestedStore) {
    let store = &*tested.store;
    add_records(store, 3);
    tested.insert_at(6).unwrap();
    for records in ["4", "1-4", "5-6", "1-3,5", "6-7"] {
        let result = store.read_payloads(&records.parse().unwrap(), &mut |_, _, _| ());
        assert!(matches!(result, Err(StoreError::Corrupt(_))), "{records}: {result:?}");
    }
    store.read_payloads(&Runs::default(), &mut |_, _, _| panic!("no record")).unwrap();
}

pub fn unsigned_records_are_shown_without_a_signature(tested: &TestedStore) {
    let store = &*tested.store;
    store.insert_records(&[named("a", b"1")], OnConflict::Stop).unwrap();
    add_records(store, 2000);
    tested.insert_at(5000).unwrap();
    let mut shown = Vec::new();
    store
        .read_signed(&"1-1500,1990-9000".parse().unwrap(), &mut |row| {
            assert!(row.signature.is_none());
            assert_eq!(row.external_id, (row.record == RecordId(1)).then_some("a"));
            shown.push(row.record.0);
        })
        .unwrap();
    assert_eq!(shown, (1..=1500).chain(1990..=2001).chain([5000]).collect::<Vec<_>>());
    assert_eq!(store.batch_of(RecordId(1)).unwrap(), None);
}
