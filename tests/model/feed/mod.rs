//! The feed as a model: commits that take long, sequencers that die, a server that crashes or is restored, and a reader.

mod mutants;

use std::collections::{BTreeMap, BTreeSet};

use signwave::domain::{
    BatchId, BatchState, Place,
    promises::{Breach, Feed},
};
use stateright::{Checker, Expectation, HasDiscoveries, Model, Property};

use mutants::Mutant;

/// Batches that are signed.
const BATCHES: usize = 3;
/// Transactions that store signatures. One more than batches, because one may be rolled back, or lost in a crash.
const TRANSACTIONS: usize = BATCHES + 1;
/// Crashes of the server, and restores of a backup.
const CRASHES: u8 = 1;

/// The protocol, as it is or with a mistake.
#[derive(Clone, Copy, Debug)]
struct Sequenced {
    mutant: Option<Mutant>,
}

/// What a server holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Rows {
    commits: [Commit; BATCHES],
    /// The batch at each position that others can see.
    feed: BTreeMap<usize, usize>,
    /// Tells this feed from the one before a restore.
    id: u8,
}

/// How far the transaction is that stores a batch's signatures. It draws its time and its place among ids when it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Commit {
    #[default]
    NotBegun,
    Begun(usize),
    Stored(usize),
}

/// A sequencer before its COMMIT: the positions that it gives.
type Numbering = BTreeMap<usize, usize>;

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    rows: Rows,
    /// What a crash leaves: all that is visible, unless a mistake lets more be seen.
    on_disk: Rows,
    backup: Option<Rows>,
    numbering: Option<Numbering>,
    drawn: usize,
    reader: Reader,
    crashes: u8,
    restores: u8,
}

/// A client that keeps its position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Reader {
    /// The feed that its position is one of.
    id: u8,
    /// What it saw, by what it goes on behind: positions, or times with a mistake.
    seen: BTreeMap<usize, usize>,
    /// It has read, and did not get what was stored before.
    has_missed: bool,
    /// It was told that the feed does not have its position.
    is_refused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Begin(usize),
    Commit(usize),
    RollBack(usize),
    /// A node numbers what is signed, up to its COMMIT.
    Number,
    CommitNumbers,
    /// The sequencer dies, or its connection is lost.
    LoseNumbers,
    /// The disk has all that is visible.
    Flush,
    /// The server loses what is not on the disk, and every open transaction.
    Crash,
    BackUp,
    Restore,
    Read,
}

impl Rows {
    fn next_position(&self) -> usize {
        self.feed.keys().next_back().map_or(1, |last| last + 1)
    }

    /// Numbers in the order of ids what is stored and has no position, behind the last position.
    fn number(&self, mutant: Option<Mutant>) -> Numbering {
        let numbered: BTreeSet<_> = self.feed.values().copied().collect();
        let is_ready = |batch: &usize| match self.commits[*batch] {
            Commit::Stored(_) => !numbered.contains(batch),
            Commit::Begun(_) => mutant == Some(Mutant::NumberedBeforeTheCommit) && !numbered.contains(batch),
            Commit::NotBegun => false,
        };
        (self.next_position()..).zip((0..BATCHES).filter(is_ready)).collect()
    }

    fn stored(&self) -> impl Iterator<Item = usize> {
        (0..BATCHES).filter(|batch| matches!(self.commits[*batch], Commit::Stored(_)))
    }
}

impl Model for Sequenced {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let rows = Rows::default();
        let (on_disk, reader) = (rows.clone(), Reader::default());
        vec![State {
            rows,
            on_disk,
            backup: None,
            numbering: None,
            drawn: 0,
            reader,
            crashes: 0,
            restores: 0,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for batch in 0..BATCHES {
            match state.rows.commits[batch] {
                Commit::NotBegun if state.drawn < TRANSACTIONS => steps.push(Step::Begin(batch)),
                Commit::NotBegun => {}
                Commit::Begun(_) => steps.extend([Step::Commit(batch), Step::RollBack(batch)]),
                Commit::Stored(_) => {}
            }
        }
        match state.numbering {
            None => steps.push(Step::Number),
            Some(_) => steps.extend([Step::CommitNumbers, Step::LoseNumbers]),
        }
        steps.extend([Step::Flush, Step::BackUp, Step::Read]);
        if state.crashes < CRASHES {
            steps.push(Step::Crash);
        }
        if state.restores < CRASHES {
            steps.push(Step::Restore);
        }
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        self.take(step, &mut next);
        // A transaction is on the disk before others see it, unless it does not wait for that.
        let waits = !(step == Step::CommitNumbers && self.mutant == Some(Mutant::ShownBeforeItIsDurable));
        if waits && step != Step::Crash && next.rows != state.rows {
            next.on_disk = next.rows.clone();
        }
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let (always, sometimes) = (Property::<Self>::always, Property::<Self>::sometimes);
        let mut properties = vec![
            always("P8 the rows of the feed break no rule", |_, state| breaches(&state.rows).is_empty()),
            always("P8 a position that was shown never changes", |protocol, state| {
                protocol.goes_by_times() || is_as_shown(state)
            }),
            always("P8 who reads misses nothing that was stored before", |_, state| !state.reader.has_missed),
        ];
        if self.mutant.is_none() {
            properties.extend([
                sometimes("a batch that began first is read last", |_, state| {
                    let last = state.reader.seen.values().next_back();
                    state.reader.seen.len() == BATCHES
                        && last.is_some_and(|batch| state.rows.commits[*batch] == Commit::Stored(1))
                }),
                sometimes("all is read after a crash", |_, state| {
                    state.crashes > 0 && state.reader.seen.len() == BATCHES
                }),
                sometimes("a reader of the database before a restore is refused", |_, state| {
                    state.reader.is_refused
                }),
            ]);
        }
        properties
    }
}

impl Sequenced {
    fn goes_by_times(&self) -> bool {
        self.mutant == Some(Mutant::CursorOverTimes)
    }

    fn take(&self, step: Step, state: &mut State) {
        let rows = &mut state.rows;
        match step {
            Step::Begin(batch) => {
                state.drawn += 1;
                rows.commits[batch] = Commit::Begun(state.drawn);
            }
            Step::Commit(batch) => {
                let Commit::Begun(drawn) = rows.commits[batch] else { return };
                rows.commits[batch] = Commit::Stored(drawn);
                if self.mutant == Some(Mutant::PositionInsideTheCommit) {
                    rows.feed.insert(drawn, batch);
                }
            }
            Step::RollBack(batch) => rows.commits[batch] = Commit::NotBegun,
            Step::Number if self.mutant == Some(Mutant::PositionInsideTheCommit) => {}
            Step::Number => {
                state.numbering = Some(rows.number(self.mutant)).filter(|given| !given.is_empty())
            }
            Step::CommitNumbers => rows.feed.extend(state.numbering.take().unwrap_or_default()),
            Step::LoseNumbers => state.numbering = None,
            Step::Flush => state.on_disk = rows.clone(),
            Step::Crash => {
                *rows = state.on_disk.clone();
                let is_open = |commit: &&mut Commit| matches!(commit, Commit::Begun(_));
                rows.commits.iter_mut().filter(is_open).for_each(|commit| *commit = Commit::NotBegun);
                state.on_disk = rows.clone();
                state.numbering = None;
                state.crashes += 1;
            }
            Step::BackUp => state.backup = state.backup.take().or(Some(without_open(rows))),
            Step::Restore => {
                let Some(backup) = state.backup.clone() else { return };
                *rows = backup;
                // As the README says: the feed gets another id.
                rows.id += u8::from(self.mutant != Some(Mutant::RestoreKeepsTheId));
                state.numbering = None;
                state.restores += 1;
            }
            Step::Read => self.read(state),
        }
    }

    /// The reader numbers first, in a turn. While another sequencer has its turn, it waits.
    fn read(&self, state: &mut State) {
        let numbers = !matches!(
            self.mutant,
            Some(Mutant::ReaderWithoutSequencer | Mutant::PositionInsideTheCommit | Mutant::CursorOverTimes)
        );
        if numbers && state.numbering.is_some() {
            return;
        }
        if numbers {
            let given = state.rows.number(self.mutant);
            state.rows.feed.extend(given);
        }
        let (reader, rows) = (&mut state.reader, &state.rows);
        let after = reader.seen.keys().next_back().copied().unwrap_or(0);
        if reader.id != rows.id || !self.goes_by_times() && after >= rows.next_position() {
            reader.is_refused = true;
            return;
        }
        if self.goes_by_times() {
            let drawn = |batch| match rows.commits[batch] {
                Commit::Stored(drawn) if drawn > after => Some((drawn, batch)),
                _ => None,
            };
            reader.seen.extend((0..BATCHES).filter_map(drawn));
        } else {
            reader.seen.extend(rows.feed.range(after + 1..));
        }
        let seen: BTreeSet<_> = reader.seen.values().collect();
        reader.has_missed = rows.stored().any(|batch| !seen.contains(&batch));
    }
}

/// What a backup holds: no transaction that is open.
fn without_open(rows: &Rows) -> Rows {
    let mut rows = rows.clone();
    let is_open = |commit: &&mut Commit| matches!(commit, Commit::Begun(_));
    rows.commits.iter_mut().filter(is_open).for_each(|commit| *commit = Commit::NotBegun);
    rows
}

/// What the service's own checker finds in the feed.
fn breaches(rows: &Rows) -> Vec<Breach> {
    let mut feed = Feed::default();
    let state = |batch: usize| match rows.commits[batch] {
        Commit::Stored(_) => BatchState::Signed,
        _ => BatchState::Leased,
    };
    let seen = rows.feed.iter().flat_map(|(position, batch)| {
        feed.see(Place(*position as i64), BatchId(*batch as i64 + 1), Some(state(*batch)))
    });
    seen.collect()
}

/// Whether the feed still is what the reader saw, if it is the same feed.
fn is_as_shown(state: &State) -> bool {
    let is_same = |(position, batch): (&usize, &usize)| state.rows.feed.get(position) == Some(batch);
    state.reader.id != state.rows.id || state.reader.seen.iter().all(is_same)
}

#[test]
fn the_feed_keeps_its_promise_whatever_goes_wrong() {
    let checker = Sequenced { mutant: None }.checker().threads(2).spawn_bfs().join();
    println!("{} distinct states of the feed, {} deep", checker.unique_state_count(), checker.max_depth());
    checker.assert_properties();
    assert!(checker.unique_state_count() > 1_000, "too few states to mean much");
}

#[test]
fn every_mistake_with_the_feed_breaks_its_promise() {
    for (mutant, mistake) in Mutant::ALL {
        let protocol = Sequenced { mutant: Some(mutant) };
        let checker = protocol.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        let mut broken = checker.discoveries();
        let properties = protocol.properties();
        broken.retain(|name, _| {
            properties.iter().any(|one| one.name == *name && matches!(one.expectation, Expectation::Always))
        });
        println!("{mistake}: {} states", checker.unique_state_count());
        for (name, path) in &broken {
            println!("    {name}, after {} steps", path.clone().into_actions().len());
        }
        assert!(!broken.is_empty(), "no promise is broken by {mutant:?}");
    }
}
