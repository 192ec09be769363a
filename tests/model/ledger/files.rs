//! Anchors: the product's own, on files that are made for each question. The same question is asked once.

use std::{
    collections::HashMap,
    fs,
    hash::Hash as Hashed,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use signwave::{
    anchors::{self, AnchorAddress, AnchorError, Anchors, Loss, Missing, Standing},
    domain::ledger::Head,
};
use tempfile::TempDir;

use super::ledgers::{Ledger, Ledgers, origin};

/// The text of a file, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Text(u32);

/// What the anchor of a process says to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All that is anchored is in it. The file is this then.
    Stands(Text),
    /// It is older, or another.
    Differs,
    /// The file is of another incarnation.
    OtherIncarnation,
}

/// How far a commit has come for its anchor. What comes before is part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The file before it.
    pub file: Text,
    pub incarnation: u32,
    pub before: Ledger,
    pub after: Ledger,
    /// What the database had when it was compared between the COMMIT and the confirmation.
    pub seen: Option<Ledger>,
    pub end: End,
}

/// What the anchor hears of the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    Nothing,
    Committed,
    RolledBack,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Question {
    Compare(Text, u32, Ledger),
    Commit(Attempt),
}

/// Anchors, an incarnation, and a database of it.
type Lack = (Vec<Text>, u32, Ledger);

/// All texts that any file has in any state, and all that was asked.
pub struct Files {
    folder: TempDir,
    made: AtomicUsize,
    texts: Mutex<Numbered<Arc<str>>>,
    answers: Mutex<HashMap<Question, Answer>>,
    losses: Mutex<HashMap<Lack, Option<Arc<Loss>>>>,
    blanks: Mutex<HashMap<u32, Text>>,
    pub ledgers: Ledgers,
}

/// Values and their numbers.
struct Numbered<T> {
    all: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T: Clone + Eq + Hashed> Numbered<T> {
    fn number(&mut self, value: T) -> u32 {
        *self.numbers.entry(value.clone()).or_insert_with(|| {
            self.all.push(value);
            self.all.len() as u32 - 1
        })
    }
}

impl Files {
    /// In memory, where there is such a folder: each question syncs files.
    pub fn new() -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        Self {
            folder,
            made: AtomicUsize::new(0),
            texts: Mutex::new(Numbered { all: Vec::new(), numbers: HashMap::new() }),
            answers: Mutex::default(),
            losses: Mutex::default(),
            blanks: Mutex::default(),
            ledgers: Ledgers::new(),
        }
    }

    pub fn text(&self, text: Text) -> Arc<str> {
        Arc::clone(&self.texts.lock().unwrap().all[text.0 as usize])
    }

    /// The number of a text.
    pub fn keep(&self, text: &str) -> Text {
        Text(self.texts.lock().unwrap().number(text.into()))
    }

    /// The incarnation of the ledger whose file it is.
    pub fn incarnation(&self, file: Text) -> u32 {
        let text = self.text(file);
        let first = text.lines().next().unwrap_or_default();
        first.rsplit('/').next().unwrap().parse().unwrap()
    }

    /// How many different questions the product has answered.
    pub fn asked(&self) -> usize {
        self.answers.lock().unwrap().len()
    }

    /// A file that was just made, and knows nothing.
    pub fn blank(&self, incarnation: u32) -> Text {
        if let Some(blank) = self.blanks.lock().unwrap().get(&incarnation) {
            return *blank;
        }
        let blank = self.on_file("", |path| {
            fs::remove_file(path).unwrap();
            Anchors::open(&[path.as_path().into()], origin(incarnation), Missing::Create).unwrap();
        });
        self.blanks.lock().unwrap().insert(incarnation, blank);
        blank
    }

    /// A file that was just made beside this database, and knows its head.
    pub fn begun(&self, incarnation: u32, ledger: Ledger) -> Text {
        match self.compare(self.blank(incarnation), incarnation, ledger) {
            Answer::Stands(file) => file,
            other => panic!("a new anchor says {other:?}"),
        }
    }

    /// Compares a database with a file, and lets the file remember what it has. What a file says again is left out, because
    /// it would be said at each start.
    pub fn compare(&self, file: Text, incarnation: u32, ledger: Ledger) -> Answer {
        match self.ask(Question::Compare(file, incarnation, ledger)) {
            Answer::Stands(text) if self.is_said(file, text) => Answer::Stands(file),
            answer => answer,
        }
    }

    fn is_said(&self, file: Text, after: Text) -> bool {
        let (file, after) = (self.text(file), self.text(after));
        after[file.len()..].lines().all(|added| file.lines().any(|line| line == added))
    }

    /// Compares the database before a commit, and takes the commit as far as it has come.
    pub fn commit(&self, attempt: Attempt) -> Answer {
        self.ask(Question::Commit(attempt))
    }

    fn ask(&self, question: Question) -> Answer {
        if let Some(answer) = self.answers.lock().unwrap().get(&question) {
            return *answer;
        }
        let answer = match question {
            Question::Compare(file, incarnation, ledger) => self.with_anchors(file, incarnation, |anchors| {
                self.permit(anchors, ledger).map(anchors::Permit::saw).is_some()
            }),
            Question::Commit(attempt) => self.with_anchors(attempt.file, attempt.incarnation, |anchors| {
                self.attempt(anchors, attempt).is_some()
            }),
        };
        self.answers.lock().unwrap().insert(question, answer);
        answer
    }

    fn attempt(&self, anchors: &Anchors, attempt: Attempt) -> Option<()> {
        let permit = self.permit(anchors, attempt.before)?;
        let pending = permit.intend(&self.ledgers.between(attempt.before, attempt.after)).unwrap();
        if let Some(seen) = attempt.seen {
            self.permit(anchors, seen)?.saw();
        }
        match attempt.end {
            End::Nothing => drop(pending),
            End::Committed => pending.committed(),
            End::RolledBack => pending.rolled_back(),
        }
        Some(())
    }

    fn permit<'a>(&self, anchors: &'a Anchors, ledger: Ledger) -> Option<anchors::Permit<'a>> {
        let past = |size| Ok::<_, ()>(self.ledgers.past(ledger, size));
        match anchors.expected().compare(self.ledgers.head(ledger), past).unwrap() {
            Standing::Stands(permit) => Some(permit),
            Standing::Behind { .. } | Standing::Other { .. } => None,
        }
    }

    /// Opens the anchor that has this text, as a process does that starts. `act` says whether the database stands.
    fn with_anchors(&self, file: Text, incarnation: u32, act: impl FnOnce(&Anchors) -> bool) -> Answer {
        let mut answer = Answer::Differs;
        let text = self.on_file(&self.text(file), |path| {
            match Anchors::open(&[path.as_path().into()], origin(incarnation), Missing::Refuse) {
                Ok(anchors) if act(&anchors) => answer = Answer::Stands(file),
                Ok(_) => {}
                Err(AnchorError::OtherOrigin { .. }) => answer = Answer::OtherIncarnation,
                Err(error) => panic!("{error}: {}", self.text(file)),
            }
        });
        if let Answer::Stands(_) = answer { Answer::Stands(text) } else { answer }
    }

    /// Makes a file, and returns what is in it afterwards.
    fn on_file(&self, text: &str, act: impl FnOnce(&PathBuf)) -> Text {
        let path = self.folder.path().join(self.made.fetch_add(1, Ordering::Relaxed).to_string());
        fs::write(&path, text).unwrap();
        act(&path);
        let after = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        self.keep(&after)
    }

    /// What a database lacks, by these anchors, as the product reads them; `None` if it accepts nothing.
    pub fn loss(&self, files: &[Text], incarnation: u32, ledger: Ledger) -> Option<Arc<Loss>> {
        let question = (files.to_vec(), incarnation, ledger);
        if let Some(loss) = self.losses.lock().unwrap().get(&question) {
            return loss.clone();
        }
        let folder = tempfile::tempdir_in(&self.folder).unwrap();
        let paths: Vec<_> = (0..files.len()).map(|place| folder.path().join(place.to_string())).collect();
        for (path, file) in paths.iter().zip(files) {
            fs::write(path, &*self.text(*file)).unwrap();
        }
        let anchors: Vec<_> = paths.into_iter().map(AnchorAddress::from).collect();
        let loss = Loss::read(&anchors, origin(incarnation), self.ledgers.head(ledger)).ok().map(Arc::new);
        self.losses.lock().unwrap().insert(question, loss.clone());
        loss
    }

    /// The heads that were committed, as a file says to a reader who is not the product.
    pub fn evidence(&self, file: Text) -> Vec<Head> {
        let head = |size: &str, root: &str| Head { size: size.parse().unwrap(), root: root.parse().unwrap() };
        let (text, mut intended, mut heads) = (self.text(file), None, Vec::new());
        for line in text.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["H", size, root, before, root_before] => {
                    intended = Some(head(size, root));
                    heads.push(head(before, root_before));
                }
                ["C", _] => heads.extend(intended),
                ["S", size, root] => heads.push(head(size, root)),
                _ => {}
            }
        }
        heads
    }

    /// Whether the file has the intent of a commit that leads to this ledger.
    pub fn intends(&self, file: Text, ledger: Ledger) -> bool {
        let head = self.ledgers.head(ledger);
        self.text(file).contains(&format!("\nH {} {} ", head.size, head.root))
    }
}
