//! What must hold after each step, and what must be reachable.

use signwave::domain::{
    BatchId, BatchRow, BatchState, KeyId, NodeId, Scheme,
    promises::{Batches, Breach, Ledger, ReceiptFact},
};
use stateright::Property;

use super::{
    Restoring,
    accept::JUMP,
    database::{Batch, Database, State},
    ledgers::{Entry, Ledgers},
    steps::Step,
    system::{Clients, Confirmation, PROCESSES, Shown, System},
};

/// A promise that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broken {
    TwoSignatures,
    TwoMeanings,
    SignedInOlder,
    FormedInOlder,
    NotAnchored,
    FalseAlarm,
    Forgotten,
    AnotherWindow,
    HeadChanged,
    RecordLost,
    Rows,
}

impl Broken {
    pub const fn promise(self) -> &'static str {
        match self {
            Self::TwoSignatures => "P1 a record has one signature, across restores",
            Self::TwoMeanings => "P1 an id means one record, or one signed batch",
            Self::SignedInOlder => "P9 nothing is signed in an older database",
            Self::FormedInOlder => {
                "P9 nothing is formed or leased in an older database after it was compared"
            }
            Self::NotAnchored => "P9 what was shown is anchored",
            Self::FalseAlarm => "P9 a database that is not older is not halted",
            Self::Forgotten => "P9 what was shown stays, unless a copy is put back",
            Self::AnotherWindow => {
                "P9 only the loss of one commit whose confirmation is lost, too, is not noticed"
            }
            Self::HeadChanged => "P9 a head that was shown is continued",
            Self::RecordLost => "P5 a record is in a batch, or waits for one",
            Self::Rows => "P1, P3, P4, P9 the rows break no promise",
        }
    }
}

/// The name of the property that no promise is broken.
pub const KEPT: &str = "every promise is kept";

/// A property that some state has.
type Reached = fn(&Restoring, &System) -> bool;

/// What must be reachable, each in one of the searches.
pub const REACHED: [(&str, Reached); 9] = [
    ("the window is met", |_, system| system.is_unnoticeable),
    ("a copy is halted because it is older", |model, system| {
        let ledgers = &model.files.ledgers;
        system.database.halted && ledgers.continues(system.timeline, system.database.ledger)
    }),
    ("a copy is halted because it is another", |model, system| {
        let ledgers = &model.files.ledgers;
        system.database.halted && ledgers.size(system.database.ledger) >= ledgers.size(system.timeline)
    }),
    ("a newer copy goes on after an older one", |model, system| {
        let is_all = system.restores > 1 && system.commits == model.bounds.commits;
        is_all && system.accepts == 0 && all_is_signed(system)
    }),
    ("a lost record that exists is never signed", |_, system| {
        let exists = |record| system.database.name(record).is_some();
        let is_kept = |batch: &Batch| batch.state == State::Lost && batch.records.iter().any(exists);
        system.database.batches.iter().any(is_kept)
    }),
    ("what was formed before a lost batch is formed again, and signed", |_, system| {
        let states: Vec<_> = system.database.batches.iter().map(|batch| batch.state).collect();
        let is_pair = |pair: &[State]| matches!(pair, [State::Signed(_), State::Lost]);
        let is_formed_later = system.backups.iter().all(|backup| backup.batches.is_empty());
        system.accepts > 0 && is_formed_later && states.windows(2).any(is_pair)
    }),
    ("a new record is signed after a loss, under an id far above", |_, system| {
        system.clients.shown.iter().any(|shown| shown.record.0 >= JUMP)
    }),
    ("a loss is accepted twice", |_, system| system.accepts == 2),
    ("a lost record is signed again on request", |_, system| {
        let is_void = |name| system.clients.void.iter().any(|void| void.name == name);
        system.clients.shown.iter().any(|shown| is_void(shown.name))
    }),
];

pub fn all(model: &Restoring) -> Vec<Property<Restoring>> {
    let mut properties = vec![Property::<Restoring>::always(KEPT, |_, system| system.broken.is_none())];
    if model.mutant.is_none() {
        properties.extend(REACHED.map(|(name, is_reached)| Property::sometimes(name, is_reached)));
    }
    properties
}

fn all_is_signed(system: &System) -> bool {
    let is_signed = |name| system.clients.shown.iter().any(|shown| shown.name == name);
    system.database.records.iter().all(|(_, name)| is_signed(*name))
}

/// Judges a step, and keeps what promises are about.
pub fn judge(model: &Restoring, before: &System, step: Step, after: &mut System) {
    let ledgers = &model.files.ledgers;
    let was_older = before.is_older(ledgers);
    if !was_older && !matches!(step, Step::Restore(..) | Step::Accept(_) | Step::LosePower(_)) {
        after.timeline = after.database.ledger;
    }
    after.confirmation = confirmation(before, step, after);
    let is_older = after.is_older(ledgers);
    after.is_restored &= is_older;
    after.broken = after.broken.or_else(|| broken(model, before, step, after));
    if is_older && !(0..PROCESSES).any(|process| after.is_aware(process, &model.files)) {
        let kept = ledgers.common(after.database.ledger, after.timeline);
        let is_one = ledgers.size(after.timeline) == kept + 1;
        let is_the_window = is_one && after.confirmation == Confirmation::Missing;
        after.is_unnoticeable = true;
        after.broken = after.broken.or((!is_the_window).then_some(Broken::AnotherWindow));
    }
    if !is_older && (!was_older || matches!(step, Step::Accept(_))) {
        let (incarnation, head) = (after.database.incarnation, after.database.ledger);
        after.clients.heads.retain(|(other, _)| *other != incarnation);
        after.clients.heads.push((incarnation, head));
    }
}

/// How far the confirmation of the last commit is after a step.
fn confirmation(before: &System, step: Step, after: &System) -> Confirmation {
    match (step, before.confirmation) {
        (Step::Commit(_), _) => Confirmation::Missing,
        (Step::Confirm(process), _) => {
            let commit = before.processes[process].commit;
            let is_last = commit.is_some_and(|commit| commit.attempt.after == after.timeline);
            if is_last { Confirmation::Written(process) } else { before.confirmation }
        }
        (Step::Intend(process), Confirmation::Written(writer))
            if writer == process && after.processes[process].commit.is_some() =>
        {
            Confirmation::Synced
        }
        (Step::LosePower(cuts), Confirmation::Written(process)) if cuts[process] => Confirmation::Missing,
        (Step::Accept(_), _) => Confirmation::Synced,
        (_, confirmation) => confirmation,
    }
}

fn broken(model: &Restoring, before: &System, step: Step, after: &System) -> Option<Broken> {
    let ledgers = &model.files.ledgers;
    let (was_older, is_older) = (before.is_older(ledgers), after.is_older(ledgers));
    match step {
        Step::Commit(_) if was_older => return Some(Broken::SignedInOlder),
        Step::Form(process) | Step::Lease(process) if was_older && before.processes[process].has_compared => {
            return Some(Broken::FormedInOlder);
        }
        Step::Commit(process) => {
            let me = &after.processes[process];
            let made = me.commit.map(|commit| commit.attempt.after);
            if !made.is_some_and(|ledger| model.files.intends(me.synced, ledger)) {
                return Some(Broken::NotAnchored);
            }
        }
        _ => {}
    }
    if after.database.halted && !is_older {
        return Some(Broken::FalseAlarm);
    }
    if is_older && !after.is_restored {
        return Some(Broken::Forgotten);
    }
    let is_changed = |(incarnation, head): &(u32, _)| {
        *incarnation == after.database.incarnation && !ledgers.continues(after.database.ledger, *head)
    };
    if !is_older && after.clients.heads.iter().any(is_changed) {
        return Some(Broken::HeadChanged);
    }
    let rows = (&before.database.ledger, &before.database.batches)
        != (&after.database.ledger, &after.database.batches);
    contradiction(&after.clients)
        .or_else(|| is_any_record_lost(&after.database).then_some(Broken::RecordLost))
        .or_else(|| (rows && !breaches(&after.database, ledgers).is_empty()).then_some(Broken::Rows))
}

/// What was told to clients that cannot be true together.
fn contradiction(clients: &Clients) -> Option<Broken> {
    for (place, one) in clients.shown.iter().enumerate() {
        for other in &clients.shown[..place] {
            if one.name == other.name && one.value != other.value {
                return Some(Broken::TwoSignatures);
            }
            if one.batch == other.batch && one.value != other.value
                || one.record == other.record && one.name != other.name
            {
                return Some(Broken::TwoMeanings);
            }
        }
    }
    // Signed again or not, an id means the same record.
    let all = || clients.shown.iter().chain(&clients.void);
    let is_other = |one: &Shown| all().any(|other| one.record == other.record && one.name != other.name);
    if clients.void.iter().any(is_other) {
        return Some(Broken::TwoMeanings);
    }
    let is_twice = clients.told.windows(2).any(|pair| pair[0].0 == pair[1].0);
    is_twice.then_some(Broken::TwoMeanings)
}

fn is_any_record_lost(database: &Database) -> bool {
    let frontier = database.frontier();
    database.records.iter().any(|(record, _)| *record <= frontier && !database.is_in_batch(*record))
}

/// What the product's own checker finds in the rows.
pub fn breaches(database: &Database, ledgers: &Ledgers) -> Vec<Breach> {
    let (mut batches, mut ledger) = (Batches::default(), Ledger::default());
    let rows = (1..).map(BatchId).zip(&database.batches);
    let mut breaches: Vec<_> =
        rows.filter_map(|(id, batch)| row(id, batch)).flat_map(|row| batches.see(&row)).collect();
    for (place, (entry, receipt)) in ledgers.receipts(database.ledger).into_iter().enumerate() {
        let before = ledgers.up_to(database.ledger, place as u64).map(|ledger| ledgers.head(ledger));
        let (batch, stored) = match entry {
            Entry::Batch { batch, .. } => (Some(batch), signed(database, batch)),
            entry => (None, Some(entry)),
        };
        let entry = stored.zip(before).map(|(entry, before)| entry.product(before));
        let fact = ReceiptFact { seq: receipt.seq(), batch, entry, root: receipt.head().root };
        breaches.extend(ledger.see(&fact));
    }
    breaches.extend(ledger.check_end(ledgers.head(database.ledger)));
    breaches.extend(ledger.check_signed(&batches));
    breaches
}

/// The entry that the row of a signed batch makes.
fn signed(database: &Database, id: BatchId) -> Option<Entry> {
    match database.batches.get(id.0 as usize - 1)?.state {
        State::Signed(value) => database.entry(id, value),
        _ => None,
    }
}

/// The row of a batch, unless it is lost.
fn row(id: BatchId, batch: &Batch) -> Option<BatchRow> {
    let (state, node) = match batch.state {
        State::Open => (BatchState::Open, None),
        State::Leased(process) => (BatchState::Leased, Some(NodeId(process as i64 + 1))),
        State::Signed(_) => (BatchState::Signed, None),
        State::Lost => return None,
    };
    let (first, last) = batch.records.first().zip(batch.records.last())?;
    // Each batch has a key that no other has.
    let key = (state != BatchState::Open).then_some(KeyId(id.0));
    Some(BatchRow {
        id,
        records: batch.records.clone(),
        stored_span: (first, last, batch.records.len()),
        state,
        epoch: batch.epoch,
        key,
        node,
        scheme: key.map(|_| Scheme::default()),
        signed_at: (state == BatchState::Signed).then(String::new),
    })
}
