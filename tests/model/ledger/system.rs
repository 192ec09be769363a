//! The state of the whole: the database and its copies, processes with their anchors, and what clients were shown.

use signwave::domain::{BatchId, RecordId, ledger::Head};

use super::{
    database::{Database, Held, Name},
    files::{Attempt, Files, Text},
    ledgers::{Ledger, Ledgers, Value},
    promises::Broken,
};

/// Processes that sign, each with an anchor that no other has.
pub const PROCESSES: usize = 2;
/// Copies that are kept.
pub const BACKUPS: usize = 2;

/// How far the space reaches.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Processes that work.
    pub processes: usize,
    /// Records that clients have.
    pub names: u8,
    /// Commits ever made.
    pub commits: u8,
    /// Processes killed.
    pub kills: u8,
    /// Machines that lose power, with all that is not synced.
    pub losses: u8,
    /// Commits that fail, or whose reply is lost.
    pub troubles: u8,
    pub backups: u8,
    pub restores: u8,
    /// Losses that are accepted.
    pub accepts: u8,
    /// Whether `--resign-lost` is used.
    pub resigns: bool,
    /// Keys that are added to an older database, by a command without anchors.
    pub keys: u8,
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct System {
    pub database: Database,
    /// What a loss of power leaves, if that is not all that is visible; mutants only.
    pub disk: Option<Database>,
    pub backups: Vec<Database>,
    pub processes: [Process; PROCESSES],
    /// The ledger as it was committed, whatever was put back since.
    pub timeline: Ledger,
    /// Whether the database lacks a part of it because a copy was put back.
    pub is_restored: bool,
    /// Of the last commit of the timeline.
    pub confirmation: Confirmation,
    pub clients: Clients,
    /// Commits ever made, on any timeline.
    pub commits: u8,
    pub kills: u8,
    pub losses: u8,
    pub troubles: u8,
    pub restores: u8,
    pub accepts: u8,
    pub keys: u8,
    /// The one window that is left open: no anchor has evidence of what is missing. No promise is made from here on.
    pub is_unnoticeable: bool,
    /// The first promise that was broken.
    pub broken: Option<Broken>,
}

/// A process and its anchor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    pub life: Life,
    pub held: Option<Held>,
    pub commit: Option<Commit>,
    /// The anchor as other programs see it.
    pub file: Text,
    /// What a loss of power leaves of it at least.
    pub synced: Text,
    /// Whether the anchor was compared with what was put back last.
    pub has_compared: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Life {
    AtWork,
    /// Its connection is lost. It compares when it connects.
    Away,
    Dead,
}

/// A commit from its intent to its confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Commit {
    /// What the anchor is asked and told.
    pub attempt: Attempt,
    /// What the file had before it, which is `attempt.file` unless a mistake passes over it.
    pub before: Text,
    pub value: Value,
    /// Whether the COMMIT was made, and the reply is here. Before that the ledger is locked.
    pub is_made: bool,
}

/// How far the confirmation of a commit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Confirmation {
    /// It was not written, or was lost with the power.
    Missing,
    /// In the file of a process.
    Written(usize),
    Synced,
}

/// What was told to clients. They see a commit at once, and a record that they saw signed they do not submit again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Clients {
    /// Ids that inserts returned.
    pub told: Vec<(RecordId, Name)>,
    pub shown: Vec<Shown>,
    /// What was declared void, because it is signed again.
    pub void: Vec<Shown>,
    /// The last head of each incarnation.
    pub heads: Vec<(u32, Ledger)>,
}

/// A signature of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shown {
    pub record: RecordId,
    pub name: Name,
    pub batch: BatchId,
    pub value: Value,
}

impl System {
    pub fn new(files: &Files) -> Self {
        let file = files.begun(1, Ledgers::EMPTY);
        let process = || Process {
            life: Life::AtWork,
            held: None,
            commit: None,
            file,
            synced: file,
            has_compared: true,
        };
        Self {
            database: Database::new(),
            disk: None,
            backups: Vec::new(),
            processes: [process(), process()],
            timeline: Ledgers::EMPTY,
            is_restored: false,
            confirmation: Confirmation::Synced,
            clients: Clients::default(),
            commits: 0,
            kills: 0,
            losses: 0,
            troubles: 0,
            restores: 0,
            accepts: 0,
            keys: 0,
            is_unnoticeable: false,
            broken: None,
        }
    }

    /// Whether the database lacks something that was committed.
    pub fn is_older(&self, ledgers: &Ledgers) -> bool {
        !ledgers.continues(self.database.ledger, self.timeline)
    }

    /// Whether the anchor of a process has evidence that the database is older, or is about to have it.
    pub fn is_aware(&self, process: usize, files: &Files) -> bool {
        let Process { file, commit, .. } = &self.processes[process];
        let ledgers = &files.ledgers;
        let comes = commit.filter(|commit| commit.is_made).map(|commit| ledgers.head(commit.attempt.after));
        let lacks =
            |head: Head| head.size > 0 && ledgers.root_at(self.database.ledger, head.size) != Some(head.root);
        files.evidence(*file).into_iter().chain(comes).any(lacks)
    }

    /// Whether a process must not work yet. After a restore, all anchors are to be compared with the database before a
    /// process works whose own does not have what is missing.
    pub fn waits(&self, process: usize, files: &Files) -> bool {
        let is_unasked = |other: usize| !self.processes[other].has_compared && self.is_aware(other, files);
        self.is_older(&files.ledgers) && !self.is_aware(process, files) && (0..PROCESSES).any(is_unasked)
    }

    /// Whether no commit is under way, or waits to be confirmed.
    pub fn is_idle(&self) -> bool {
        self.processes.iter().all(|process| process.commit.is_none())
    }

    /// Whether a commit holds the lock of the ledger.
    pub fn is_locked(&self) -> bool {
        self.processes.iter().any(|process| process.commit.is_some_and(|commit| !commit.is_made))
    }
}
