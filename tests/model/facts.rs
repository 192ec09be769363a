//! The state as facts for the service's own checker of promises: all that its rows can show.

use signwave::domain::{
    BatchId, BatchRow, BatchState, RecordId, Scheme,
    promises::{Breach, Counts, Invalid, KeyFact, Moment, RecordFact},
};

use super::{
    database::{Database, LIMITED, RECORDS, Signature, index},
    mutants::Mutant,
    steps::Protocol,
    system_state::SystemState,
};

/// The name of the property that there is no breach.
pub const ALL: &str = "P1 to P7 nothing that is stored breaks a promise";

/// What the rows of this state show.
pub fn breaches(protocol: Protocol, system: &SystemState) -> Vec<Breach> {
    let database = &system.database;
    let batches: Vec<_> = (0..database.batches.len()).map(|place| row(database, place)).collect();
    let values = database.signatures.map(|rows| rows.map(|row| row.map(bytes)));
    let mut records = Vec::with_capacity(RECORDS);
    let (mut visible, mut waiting, frontier) = (0, 0, database.frontier());
    for record in (1..=RECORDS as i64).map(RecordId).filter(|record| database.is_visible(*record)) {
        let waits = record > frontier || database.gaps[index(record)];
        visible += 1;
        waiting += u64::from(waits);
        let fact = RecordFact { record, waits: Some(waits), signature: None };
        let named = batch_of(database, record);
        let before = records.len();
        let values = values[index(record)].iter().flatten();
        records.extend(values.map(|value| RecordFact { signature: Some((named, value.as_slice())), ..fact }));
        if records.len() == before {
            records.push(fact);
        }
    }
    let count = |state: &[BatchState]| -> u64 {
        batches.iter().filter(|row| state.contains(&row.state)).map(|row| row.stored_span.2).sum()
    };
    let counts = Counts {
        records: visible,
        signatures: values.iter().flatten().flatten().count() as u64,
        batches: batches.len() as u64,
        unbatched: waiting,
        in_batches: count(&BatchState::ALL),
        in_signed: count(&[BatchState::Signed]),
        in_lost: 0,
    };
    let keys =
        [KeyFact { key: LIMITED, signatures: database.signed_with(LIMITED), limit: protocol.bounds.limit }];
    // The feed is another model. Here every signed batch waits for its position.
    let signed = batches.iter().filter(|row| row.state == BatchState::Signed);
    let unsequenced: Vec<_> = signed.map(|row| row.id).collect();
    let (feed, unsequenced) = (&[], &unsequenced);
    let ledger = None;
    let moment =
        Moment { batches: &batches, records: &records, keys: &keys, feed, unsequenced, ledger, counts };
    // What verifies here is what was made under a lease of this batch with its key.
    let mut breaches = moment.check(|batch, _, value| {
        let lease = &system.leases[usize::from(value[0])];
        let is_right = lease.batch == batch.id && Some(lease.key) == batch.key;
        if is_right { Ok(()) } else { Err(Invalid::Value) }
    });
    let shown = system.shown.map(|row| row.map(bytes));
    let shown = (1..).zip(&shown).filter_map(|(id, value)| Some((RecordId(id), value.as_ref()?.as_slice())));
    breaches.extend(moment.check_shown(shown));
    if protocol.mutant.is_some_and(Mutant::must_show_its_harm) {
        breaches.retain(|breach| !matches!(breach, Breach::WrongEpoch { .. }));
    }
    breaches
}

fn row(database: &Database, place: usize) -> BatchRow {
    let batch = &database.batches[place];
    let span = batch.runs.first().zip(batch.runs.last());
    let (first, last) = span.unwrap_or((RecordId(0), RecordId(0)));
    BatchRow {
        id: BatchId(place as i64 + 1),
        records: batch.runs.clone(),
        stored_span: (first, last, batch.runs.len()),
        state: batch.state,
        epoch: batch.epoch,
        key: batch.key,
        node: batch.node,
        scheme: (batch.state != BatchState::Open).then(Scheme::default),
        signed_at: (batch.state == BatchState::Signed).then(String::new),
    }
}

/// The batch that has a record: its signatures name no other here.
fn batch_of(database: &Database, record: RecordId) -> BatchId {
    let place = database.batches.iter().position(|batch| batch.runs.contains(record));
    BatchId(place.map_or(0, |place| place as i64 + 1))
}

/// A signature as bytes.
fn bytes(signature: Signature) -> [u8; 2] {
    [signature.lease as u8, signature.attempt]
}
