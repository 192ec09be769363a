//! Each rule is broken once, and exactly that breach is seen.

use super::*;
use crate::domain::{BatchId, BatchRow, BatchState, Epoch, KeyId, NodeId, Place, RecordId, Runs, Scheme};

/// All rows of a small database.
#[derive(Clone)]
struct Rows {
    batches: Vec<BatchRow>,
    records: Vec<RecordFact<'static>>,
    keys: Vec<KeyFact>,
    feed: Vec<(Place, BatchId)>,
    unsequenced: Vec<BatchId>,
    counts: Counts,
}

/// Batch 1 is signed by key 1, batch 2 is leased with key 2 for the second time, batch 3 is open, and
/// record 6 waits.
fn sound() -> Rows {
    let batch = |id, records: &str, state, epoch| {
        let records: Runs = records.parse().unwrap();
        let (first, last) = records.first().zip(records.last()).unwrap();
        BatchRow {
            id: BatchId(id),
            stored_span: (first, last, records.len()),
            records,
            state,
            epoch: Epoch(epoch),
            key: None,
            node: None,
            scheme: None,
            signed_at: None,
        }
    };
    let ps256 = Some(Scheme::Ps256);
    let batches = vec![
        BatchRow {
            key: Some(KeyId(1)),
            scheme: ps256,
            signed_at: Some("now".to_owned()),
            ..batch(1, "1-2", BatchState::Signed, 1)
        },
        BatchRow {
            key: Some(KeyId(2)),
            node: Some(NodeId(7)),
            scheme: ps256,
            ..batch(2, "3-4", BatchState::Leased, 3)
        },
        batch(3, "5", BatchState::Open, 0),
    ];
    let record = |id| RecordFact { record: RecordId(id), waits: Some(id == 6), signature: None };
    let mut records: Vec<_> = (1..=6).map(record).collect();
    records[0].signature = Some((BatchId(1), b"good"));
    records[1].signature = Some((BatchId(1), b"good"));
    let counts = Counts {
        records: 6,
        signatures: 2,
        batches: 3,
        unbatched: 1,
        in_batches: 5,
        in_signed: 2,
        in_lost: 0,
    };
    let keys = [(1, 2, Some(2)), (2, 0, None)];
    let keys = keys.map(|(id, signatures, limit)| KeyFact { key: KeyId(id), signatures, limit });
    let (feed, unsequenced) = (vec![(Place(1), BatchId(1))], Vec::new());
    Rows { batches, records, keys: keys.to_vec(), feed, unsequenced, counts }
}

impl Rows {
    fn moment(&self) -> Moment<'_> {
        let Self { batches, records, keys, feed, unsequenced, counts } = self;
        Moment { batches, records, keys, feed, unsequenced, ledger: None, counts: *counts }
    }
}

fn verify(_: &BatchRow, _: RecordId, signature: &[u8]) -> Result<(), Invalid> {
    match signature {
        b"good" => Ok(()),
        b"long enough" => Err(Invalid::Length { expected: 4 }),
        _ => Err(Invalid::Value),
    }
}

/// What is found after a change.
fn found(change: impl FnOnce(&mut Rows)) -> Vec<Breach> {
    let mut rows = sound();
    change(&mut rows);
    rows.moment().check(verify)
}

/// What a history finds that saw the sound rows before the change.
fn found_later(change: impl FnOnce(&mut Rows)) -> Vec<Breach> {
    let (mut rows, mut history) = (sound(), History::default());
    assert_eq!(history.see(&rows.moment()), []);
    assert_eq!(history.see(&rows.moment()), []);
    change(&mut rows);
    history.see(&rows.moment())
}

const ONE: RecordId = RecordId(1);
const FIRST: BatchId = BatchId(1);
const SECOND: BatchId = BatchId(2);
const THIRD: BatchId = BatchId(3);

#[test]
fn nothing_is_wrong_with_what_is_sound() {
    assert_eq!(found(|_| {}), []);
    assert_eq!(found(|rows| rows.records.iter_mut().for_each(|fact| fact.waits = None)), []);
    let mut batches = Batches::default();
    assert!(sound().batches.iter().all(|batch| batches.see(batch).is_empty()));
    assert_eq!(batches.by_state(), [1, 1, 1, 0]);
}

#[test]
fn p1_a_record_is_in_one_batch_and_has_one_signature() {
    // Record 2 of batch 1 is also in batch 2, whose span agrees with its records.
    let twice = found(|rows| {
        rows.batches[1].records = "2-4".parse().unwrap();
        rows.batches[1].stored_span = (RecordId(2), RecordId(4), 3);
    });
    assert!(twice.contains(&Breach::InTwoBatches { record: RecordId(2), batch: SECOND }), "{twice:?}");
    let again = |rows: &mut Rows| rows.records.insert(1, rows.records[0]);
    assert_eq!(found(again), [Breach::TwoSignatures { record: ONE }]);
    assert_eq!(found(|rows| rows.records[0].waits = Some(true)), [Breach::WaitsInBatch { record: ONE }]);
}

#[test]
fn p2_a_key_is_in_one_lease() {
    let leased_too = found(|rows| {
        let second = rows.batches[1].clone();
        rows.batches[2] = BatchRow {
            id: THIRD,
            records: rows.batches[2].records.clone(),
            stored_span: rows.batches[2].stored_span,
            epoch: Epoch(1),
            ..second
        };
    });
    let expected = Breach::KeyLeasedTwice { key: KeyId(2), first: SECOND, epoch: Epoch(3), second: THIRD };
    assert_eq!(leased_too, [expected]);
}

#[test]
fn p3_columns_are_set_as_the_state_wants() {
    type Change = fn(&mut [BatchRow]);
    let changes: [(Change, BatchId, &str, &str); 8] = [
        (|rows| rows[2].key = Some(KeyId(1)), THIRD, "open", "a key or a node holds it"),
        (|rows| rows[2].node = Some(NodeId(7)), THIRD, "open", "a key or a node holds it"),
        (|rows| rows[2].scheme = Some(Scheme::Rs256), THIRD, "open", "it has a scheme"),
        (|rows| rows[2].signed_at = Some(String::new()), THIRD, "open", "it has a time of signing"),
        (|rows| rows[1].node = None, SECOND, "leased", "it lacks its key, node or scheme"),
        (|rows| rows[0].scheme = None, FIRST, "signed", "it lacks its key or scheme"),
        (|rows| rows[0].node = Some(NodeId(7)), FIRST, "signed", "a node holds it"),
        (|rows| rows[0].signed_at = None, FIRST, "signed", "it lacks the time of signing"),
    ];
    for (change, batch, state, what) in changes {
        assert_eq!(found(|rows| change(&mut rows.batches)), [Breach::WrongState { batch, state, what }]);
    }
}

#[test]
fn p3_all_records_of_a_signed_batch_have_a_valid_signature_and_no_others() {
    type Change = fn(&mut [RecordFact<'static>]);
    let (key, four) = (KeyId(1), RecordId(4));
    let changes: [(Change, Breach); 5] = [
        (
            |records| records[0].signature = Some((SECOND, b"good")),
            Breach::WrongBatch { record: ONE, batch: FIRST, named: SECOND },
        ),
        (
            |records| records[0].signature = Some((FIRST, b"bad")),
            Breach::DoesNotVerify { record: ONE, batch: FIRST, key },
        ),
        (
            |records| records[0].signature = Some((FIRST, b"long enough")),
            Breach::WrongLength { record: ONE, key, expected: 4, found: 11 },
        ),
        (
            |records| records[3].signature = Some((SECOND, b"good")),
            Breach::SignatureTooEarly { record: four, batch: SECOND },
        ),
        (
            |records| records[5].signature = Some((THIRD, b"good")),
            Breach::SignatureWithoutBatch { record: RecordId(6), named: THIRD },
        ),
    ];
    for (change, breach) in changes {
        assert_eq!(found(|rows| change(&mut rows.records)), [breach]);
    }
    // The sum shows that a signature is missing, and the record shows which.
    let missing = found(|rows| {
        rows.records[0].signature = None;
        rows.counts.signatures = 1;
    });
    let total = |what, expected, found| Breach::WrongTotal { what, expected, found };
    assert_eq!(missing, [total("signatures", 2, 1), Breach::SignatureMissing { record: ONE, batch: FIRST }]);
}

#[test]
fn p3_a_key_counts_its_signatures() {
    let expected = |stored| [Breach::WrongSignatureCount { key: KeyId(1), stored, expected: 2 }];
    let counted =
        |count| found(|rows| rows.keys[0] = KeyFact { signatures: count, limit: None, ..rows.keys[0] });
    assert_eq!(counted(3), expected(3));
    assert_eq!(counted(1), expected(1));
    // Signatures that were stored during the check may be counted or not.
    let mut batches = Batches::default();
    sound().batches.iter().for_each(|batch| drop(batches.see(batch)));
    let fact = KeyFact { key: KeyId(1), signatures: 9, limit: None };
    assert_eq!(batches.check_key(fact, 0), []);
    assert!(!batches.check_key(fact, 3).is_empty());
}

#[test]
fn p7_a_key_has_no_more_signatures_than_its_limit() {
    let exceeded = |stored, limit| Breach::TooManySignatures { key: KeyId(1), stored, limit };
    assert_eq!(found(|rows| rows.keys[0].limit = Some(1)), [exceeded(2, 1)]);
    let miscounted = found(|rows| rows.keys[0] = KeyFact { signatures: 1, limit: Some(1), ..rows.keys[0] });
    let wrong = Breach::WrongSignatureCount { key: KeyId(1), stored: 1, expected: 2 };
    assert_eq!(miscounted, [wrong, exceeded(2, 1)], "a wrong count hides nothing");
}

#[test]
fn p4_epochs_count_leases_and_never_fall() {
    let wrong = |batch, state, epoch| [Breach::WrongEpoch { batch, state, epoch: Epoch(epoch) }];
    assert_eq!(found(|rows| rows.batches[0].epoch = Epoch(2)), wrong(FIRST, "signed", 2));
    assert_eq!(found(|rows| rows.batches[1].epoch = Epoch(2)), wrong(SECOND, "leased", 2));
    assert_eq!(found(|rows| rows.batches[2].epoch = Epoch(1)), wrong(THIRD, "open", 1));

    let fell = Breach::EpochFell { batch: SECOND, before: Epoch(3), now: Epoch(1) };
    assert_eq!(found_later(|rows| rows.batches[1].epoch = Epoch(1)), [fell]);
    let changes: [fn(&mut BatchRow); 3] = [
        |leased| leased.node = Some(NodeId(8)),
        |leased| leased.key = Some(KeyId(1)),
        |leased| (leased.state, leased.key, leased.node) = (BatchState::Open, None, None),
    ];
    for change in changes {
        let same = Breach::EpochNotRaised { batch: SECOND, epoch: Epoch(3) };
        assert_eq!(found_later(|rows| change(&mut rows.batches[1])), [same]);
        assert_eq!(
            found_later(|rows| {
                change(&mut rows.batches[1]);
                rows.batches[1].epoch = Epoch(4);
            }),
            []
        );
    }
    let commit = |key| {
        found_later(|rows| {
            let batch = &mut rows.batches[1];
            (batch.state, batch.node, batch.key) = (BatchState::Signed, None, Some(KeyId(key)));
        })
    };
    assert_eq!(commit(2), []);
    assert_eq!(commit(1), [Breach::EpochNotRaised { batch: SECOND, epoch: Epoch(3) }]);
}

#[test]
fn p4_a_signed_batch_is_final() {
    let changes: [fn(&mut BatchRow); 3] = [
        |signed| signed.epoch = Epoch(3),
        |signed| (signed.state, signed.epoch, signed.key) = (BatchState::Open, Epoch(2), None),
        |signed| signed.signed_at = None,
    ];
    for change in changes {
        let changed = [Breach::SignedBatchChanged { batch: FIRST }];
        assert_eq!(found_later(|rows| change(&mut rows.batches[0])), changed);
    }
}

#[test]
fn p5_every_record_is_in_a_batch_or_waits_for_one() {
    assert_eq!(found(|rows| rows.records[5].waits = Some(false)), [Breach::Lost { record: RecordId(6) }]);
    let total = |what, expected, found| [Breach::WrongTotal { what, expected, found }];
    assert_eq!(found(|rows| rows.counts.unbatched = 0), total("records in batches", 5, 6));
    assert_eq!(found(|rows| rows.counts.records = 7), total("records in batches", 5, 6));
    assert_eq!(found(|rows| rows.counts.signatures = 3), total("signatures", 2, 3));
    for (gone, batch) in [(0, FIRST), (3, SECOND), (4, THIRD)] {
        let mut rows = sound();
        let record = rows.records.remove(gone).record;
        assert_eq!(rows.moment().check(verify), [Breach::RecordMissing { record, batch }]);
    }
}

#[test]
fn p5_a_batch_stays_what_it_was_formed_of() {
    for span in [(RecordId(5), RecordId(5), 2), (RecordId(4), RecordId(5), 1), (RecordId(5), RecordId(6), 1)]
    {
        let wrong = found(|rows| rows.batches[2].stored_span = span);
        assert_eq!(wrong, [Breach::WrongSpan { batch: THIRD }]);
    }
    let changed = |rows: &mut Rows| rows.batches[2].records = "5-6".parse().unwrap();
    assert_eq!(found_later(changed), [Breach::RecordsChanged { batch: THIRD }]);
    assert_eq!(found_later(|rows| drop(rows.batches.pop())), [Breach::BatchGone { batch: THIRD }]);
    let mut huge = sound().batches.remove(2);
    huge.records = "5-9223372036854775807".parse().unwrap();
    huge.stored_span = (RecordId(5), RecordId(i64::MAX), huge.records.len());
    let expected = Breach::TooManyRecords { batch: THIRD, records: huge.records.len() };
    assert_eq!(Batches::default().see(&huge), [expected]);
}

#[test]
fn p6_what_was_shown_is_what_is_stored() {
    let otherwise = [Breach::ShownOtherwise { record: ONE }];
    assert_eq!(found_later(|rows| rows.records[0].signature = Some((FIRST, b"other"))), otherwise);
    assert_eq!(found_later(|rows| rows.records[0].signature = None), otherwise);
    assert_eq!(found_later(|rows| _ = rows.records.remove(0)), otherwise);

    let (rows, mut history) = (sound(), History::default());
    assert_eq!(history.show(ONE, b"good"), None);
    assert_eq!(history.show(ONE, b"good"), None);
    assert_eq!(history.see(&rows.moment()), []);
    assert_eq!(history.show(ONE, b"other"), Some(Breach::ShownOtherwise { record: ONE }));
    assert_eq!(history.show(RecordId(3), b"early"), None);
    assert_eq!(history.see(&rows.moment()), [Breach::ShownOtherwise { record: RecordId(3) }]);
}

#[test]
fn p8_each_signed_batch_has_one_position_and_positions_are_dense() {
    let (first, second) = (Place(1), Place(2));
    assert_eq!(found(|rows| rows.feed.clear()), [Breach::NoPosition { batch: FIRST }]);
    let waits = |rows: &mut Rows| {
        rows.feed.clear();
        rows.unsequenced = vec![FIRST];
    };
    assert_eq!(found(waits), []);
    let gap = Breach::FeedHasGap { before: Place(0), place: second };
    assert_eq!(found(|rows| rows.feed[0].0 = second), [gap]);
    let twice = Breach::TwoPositions { batch: FIRST, place: second };
    assert_eq!(found(|rows| rows.feed.push((second, FIRST))), [twice]);
    for batch in [SECOND, THIRD, BatchId(9)] {
        let early = Breach::PositionTooEarly { batch, place: second };
        assert_eq!(found(|rows| rows.feed.push((second, batch))), [early]);
    }
    let missing =
        [Breach::PositionTooEarly { batch: SECOND, place: first }, Breach::NoPosition { batch: FIRST }];
    assert_eq!(found(|rows| rows.feed[0].1 = SECOND), missing);
}

#[test]
fn p8_a_position_that_was_shown_never_changes() {
    let changed = |place| [Breach::PositionChanged { place: Place(place) }];
    assert_eq!(found_later(|rows| rows.feed[0].1 = SECOND), changed(1));
    assert_eq!(found_later(|rows| rows.feed.clear()), changed(1));
    assert_eq!(found_later(|rows| rows.feed.push((Place(2), SECOND))), []);

    let (rows, mut history) = (sound(), History::default());
    assert_eq!(history.show_position(Place(1), FIRST), None);
    assert_eq!(history.show_position(Place(2), SECOND), None);
    assert_eq!(history.show_position(Place(2), FIRST), Some(Breach::PositionChanged { place: Place(2) }));
    assert_eq!(history.see(&rows.moment()), changed(2), "it was shown before it was stored");
}
