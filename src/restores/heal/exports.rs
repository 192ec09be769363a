//! Files of bundles: which bundle of what is lost is where.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::error::HealError;
use crate::{
    anchors::{Intended, Loss},
    audit::{Pins, check_bundle},
    domain::{
        BatchId,
        ledger::{BatchSigned, Bundle, Entry, Hash},
    },
    formats::bundle::{self, MAX_BUNDLE},
    signer::{Engine, digest},
};

/// The bundles of what is lost, by the leaves of their batches. All were verified when the files were read.
#[derive(Debug)]
pub(super) struct Exports {
    files: Vec<(PathBuf, BufReader<File>)>,
    found: HashMap<Hash, Found>,
}

/// What was found of a batch.
#[derive(Debug)]
struct Found {
    entry: BatchSigned,
    /// The bundle of each of its records, in their order.
    places: Vec<Option<Place>>,
}

/// Where a bundle is.
#[derive(Clone, Copy, Debug)]
struct Place {
    file: u32,
    has_payload: bool,
    at: u64,
}

/// What is looked for.
struct Wanted<'a> {
    loss: &'a Loss,
    leaves: HashSet<Hash>,
    batches: HashSet<BatchId>,
    /// The last entry that an anchor knows.
    last: u64,
    engine: Engine,
    /// The entry of the last line, with its leaf.
    recent: Option<(BatchSigned, Hash)>,
}

impl Exports {
    /// Reads files, and verifies each bundle of what is lost.
    pub(super) fn read(
        paths: &[PathBuf],
        loss: &Loss,
        engine: Engine,
        progress: &dyn Fn(u64),
    ) -> Result<Self, HealError> {
        let entries =
            || loss.committed.iter().chain(loss.undecided.iter().flat_map(|attempt| &attempt.entries));
        let batches = || entries().filter_map(|entry| entry.batch().map(|batch| (batch.id, entry.leaf)));
        let mut wanted = Wanted {
            loss,
            leaves: batches().map(|(_, leaf)| leaf).collect(),
            batches: batches().map(|(id, _)| id).collect(),
            last: loss.size.max(loss.known.size),
            engine,
            recent: None,
        };
        let mut exports = Self { files: Vec::new(), found: HashMap::new() };
        for path in paths {
            let file = File::open(path).and_then(|file| match file.metadata()?.is_file() {
                true => Ok(file),
                false => Err(io::Error::other("it is not a file, and has to be read more than once")),
            });
            let input = BufReader::new(file.map_err(|error| unreadable(path, &error))?);
            exports.files.push((path.clone(), input));
            exports.read_last(&mut wanted, progress)?;
        }
        Ok(exports)
    }

    /// Reads the last of the files.
    fn read_last(&mut self, wanted: &mut Wanted<'_>, progress: &dyn Fn(u64)) -> Result<(), HealError> {
        let Self { files, found } = self;
        let file = files.len().saturating_sub(1) as u32;
        let Some((path, input)) = files.last_mut() else { return Ok(()) };
        let (mut at, mut line) = (0, Vec::new());
        for number in 1.. {
            if !read_line(input, &mut line).map_err(|error| unreadable(path, &error))? {
                break;
            }
            let bundle = parse(&line).map_err(|reason| refused(path, number, reason))?;
            if let Some(leaf) = wanted.leaf_of(&bundle, path, number)? {
                let place = Place { file, has_payload: bundle.payload.is_some(), at };
                let (entry, index) = (bundle.entry, bundle.in_batch.index);
                let places =
                    vec![None; if found.contains_key(&leaf) { 0 } else { entry.records.len() as usize }];
                let found = found.entry(leaf).or_insert(Found { entry, places });
                if let Some(slot) = found.places.get_mut(index as usize)
                    && slot.is_none_or(|before| !before.has_payload)
                {
                    *slot = Some(place);
                }
            }
            at += line.len() as u64;
            progress(line.len() as u64);
        }
        Ok(())
    }

    /// Whether there is a bundle of each record of a batch.
    pub(super) fn is_whole(&self, entry: &Intended) -> bool {
        self.found.get(&entry.leaf).is_some_and(|found| found.places.iter().all(Option::is_some))
    }

    /// The entry of a batch.
    pub(super) fn entry(&self, leaf: Hash) -> Option<&BatchSigned> {
        self.found.get(&leaf).map(|found| &found.entry)
    }

    /// Whether there is a bundle of the record with this index in a batch, and whether it has the payload.
    pub(super) fn has(&self, leaf: Hash, index: usize) -> Option<bool> {
        self.place(leaf, index).map(|place| place.has_payload)
    }

    /// The bundle of the record with this index in a batch.
    ///
    /// # Errors
    /// When it cannot be read again.
    pub(super) fn bundle(&mut self, leaf: Hash, index: usize) -> Result<Option<Bundle>, HealError> {
        let Some(Place { file, at, .. }) = self.place(leaf, index) else { return Ok(None) };
        let Some((path, input)) = self.files.get_mut(file as usize) else { return Ok(None) };
        let mut line = Vec::new();
        let read = seek(input, at).and_then(|()| read_line(input, &mut line));
        read.map_err(|error| unreadable(path, &error))?;
        let changed = || unreadable(path, &io::Error::other("it has changed since it was verified"));
        let bundle = parse(&line).map_err(|_| changed())?;
        let is_of = |payload: &Vec<u8>| digest(bundle.scheme.digest(), payload) == bundle.digest;
        let is_same = bundle.in_batch.index == index as u64 && bundle.payload.as_ref().is_none_or(is_of);
        is_same.then_some(Some(bundle)).ok_or_else(changed)
    }

    fn place(&self, leaf: Hash, index: usize) -> Option<Place> {
        self.found.get(&leaf)?.places.get(index).copied().flatten()
    }
}

impl Wanted<'_> {
    /// The leaf of the batch of a bundle that is wanted, which is verified; `None` of what the database has.
    fn leaf_of(&mut self, bundle: &Bundle, path: &Path, line: u64) -> Result<Option<Hash>, HealError> {
        let refused = |reason: String| refused(path, line, reason);
        let checkpoint = bundle.checkpoint.checkpoint().map_err(|error| refused(error.to_string()))?;
        if checkpoint.origin.id != self.loss.origin.id {
            let (found, expected) = (checkpoint.origin, self.loss.origin);
            return Err(HealError::OtherLedger { path: path.to_owned(), line, found, expected });
        }
        let leaf = match &self.recent {
            Some((entry, leaf)) if *entry == bundle.entry => *leaf,
            _ => Entry::Batch(bundle.entry.clone()).leaf(),
        };
        self.recent = Some((bundle.entry.clone(), leaf));
        let seq = bundle.in_ledger.index + 1;
        let (is_wanted, batch) = (self.leaves.contains(&leaf), bundle.entry.batch);
        if !is_wanted && self.batches.contains(&batch) {
            return Err(HealError::OtherBatch { path: path.to_owned(), line, batch: batch.0 });
        }
        if !is_wanted && seq <= self.last {
            return Ok(None);
        }
        let pins = Pins { keys: Vec::new(), ledgers: Vec::new() };
        check_bundle(bundle, None, &pins, self.engine).map_err(|error| refused(error.to_string()))?;
        if is_wanted { Ok(Some(leaf)) } else { Err(HealError::Unknown { path: path.to_owned(), line, seq }) }
    }
}

/// Reads a line with its end. Returns whether there is one.
fn read_line(input: &mut BufReader<File>, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    Ok(input.by_ref().take(MAX_BUNDLE as u64 + 1).read_until(b'\n', line)? > 0)
}

/// Goes to a place, and keeps what is in the buffer if the place is near.
fn seek(input: &mut BufReader<File>, at: u64) -> io::Result<()> {
    let now = input.stream_position()?;
    match i64::try_from(i128::from(at) - i128::from(now)) {
        Ok(offset) => input.seek_relative(offset),
        Err(_) => input.seek(SeekFrom::Start(at)).map(drop),
    }
}

fn parse(line: &[u8]) -> Result<Bundle, String> {
    if line.len() > MAX_BUNDLE {
        return Err(format!("the line is longer than {MAX_BUNDLE} bytes"));
    }
    let text = std::str::from_utf8(line.strip_suffix(b"\n").unwrap_or(line));
    let text = text.map_err(|_| "this is no bundle: it is not UTF-8".to_owned())?;
    bundle::read(text).map_err(|error| error.to_string())
}

fn refused(path: &Path, line: u64, reason: String) -> HealError {
    HealError::Refused { path: path.to_owned(), line, reason }
}

fn unreadable(path: &Path, error: &io::Error) -> HealError {
    HealError::Unreadable { path: path.to_owned(), reason: error.to_string() }
}
