//! The lines of an anchor.

use std::{fmt, str::FromStr};

use data_encoding::BASE64;

use crate::domain::{
    BatchId, Epoch, Fingerprint, Runs,
    ledger::{Entry, Hash, Head, Origin, Receipt},
};

/// The longest line that is read, in bytes without its LF. The longest that is written names the largest batch, whose
/// records have all neighbours left out.
pub(super) const MAX_LENGTH: usize = 4 << 20;

/// A line. Each has exactly one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// `B` and `E`.
    Entry(Intended),
    /// `K`.
    Noted { seq: u64, entry: Entry },
    /// `H`.
    Intent { next: Head, previous: Head },
    /// `C`.
    Committed { size: u64 },
    /// `X`.
    RolledBack { size: u64 },
    /// `S`.
    Seen(Head),
    /// `N`.
    Succeeded { by: Origin },
}

/// An entry that a commit was about to append, or that the database was seen to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intended {
    /// Its sequence number.
    pub seq: u64,
    /// Its leaf.
    pub leaf: Hash,
    /// What it is about.
    pub what: IntendedEntry,
}

/// What an entry is about, as far as an anchor says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntendedEntry {
    /// A batch. The anchor knows the leaf of its entry, and not the whole entry.
    Batch(IntendedBatch),
    /// Anything else, with the whole entry.
    Other(Entry),
}

/// A batch that was signed, and was about to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntendedBatch {
    /// Its id.
    pub id: BatchId,
    /// Its records.
    pub records: Runs,
    /// The lease under which it was signed.
    pub epoch: Epoch,
    /// The key that signed it.
    pub fingerprint: Fingerprint,
}

/// Text that is no line of an anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadLine;

impl From<&Receipt> for Intended {
    fn from(receipt: &Receipt) -> Self {
        let what = match receipt.entry() {
            Entry::Batch(signed) => IntendedEntry::Batch(IntendedBatch {
                id: signed.batch,
                records: signed.records.clone(),
                epoch: signed.epoch,
                fingerprint: signed.fingerprint,
            }),
            entry @ (Entry::Key(_) | Entry::Restore(_)) => IntendedEntry::Other(entry.clone()),
        };
        Self { seq: receipt.seq(), leaf: receipt.leaf(), what }
    }
}

impl Intended {
    /// An entry that is no batch.
    pub(super) fn other(seq: u64, entry: Entry) -> Self {
        Self { seq, leaf: entry.leaf(), what: IntendedEntry::Other(entry) }
    }

    /// The batch that it is about; `None` if it is of another kind.
    pub fn batch(&self) -> Option<&IntendedBatch> {
        match &self.what {
            IntendedEntry::Batch(batch) => Some(batch),
            IntendedEntry::Other(_) => None,
        }
    }
}

impl fmt::Display for Line {
    /// The text without LF.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(Intended { seq, leaf, what: IntendedEntry::Batch(batch) }) => {
                let IntendedBatch { id, records, epoch, fingerprint } = batch;
                write!(f, "B {seq} {id} {records} {epoch} {fingerprint} {leaf}")
            }
            Self::Entry(Intended { seq, leaf, what: IntendedEntry::Other(entry) }) => {
                write!(f, "E {seq} {leaf} {}", BASE64.encode(entry.to_string().as_bytes()))
            }
            Self::Noted { seq, entry } => {
                write!(f, "K {seq} {}", BASE64.encode(entry.to_string().as_bytes()))
            }
            Self::Intent { next, previous } => {
                write!(f, "H {} {} {} {}", next.size, next.root, previous.size, previous.root)
            }
            Self::Committed { size } => write!(f, "C {size}"),
            Self::RolledBack { size } => write!(f, "X {size}"),
            Self::Seen(head) => write!(f, "S {} {}", head.size, head.root),
            Self::Succeeded { by } => write!(f, "N {by}"),
        }
    }
}

impl FromStr for Line {
    type Err = BadLine;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fields: Vec<_> = text.splitn(8, ' ').collect();
        let line = match *fields {
            ["B", seq, id, records, epoch, fingerprint, leaf] => {
                let batch = IntendedBatch {
                    id: BatchId(number(id)?),
                    records: number(records)?,
                    epoch: Epoch(number(epoch)?),
                    fingerprint: number(fingerprint)?,
                };
                let what = IntendedEntry::Batch(batch);
                Self::Entry(Intended { seq: number(seq)?, leaf: number(leaf)?, what })
            }
            ["E", seq, leaf, entry] => {
                let what = IntendedEntry::Other(other_entry(entry)?);
                Self::Entry(Intended { seq: number(seq)?, leaf: number(leaf)?, what })
            }
            ["K", seq, entry] => Self::Noted { seq: number(seq)?, entry: other_entry(entry)? },
            ["H", size, root, previous_size, previous_root] => {
                Self::Intent { next: head(size, root)?, previous: head(previous_size, previous_root)? }
            }
            ["C", size] => Self::Committed { size: number(size)? },
            ["X", size] => Self::RolledBack { size: number(size)? },
            ["S", size, root] => Self::Seen(head(size, root)?),
            ["N", by] => Self::Succeeded { by: number(by)? },
            _ => return Err(BadLine),
        };
        // Some fields can be read from several texts, of which one is the line's.
        let is_exact = line.to_string() == text && line.is_possible();
        is_exact.then_some(line).ok_or(BadLine)
    }
}

impl Line {
    fn is_possible(&self) -> bool {
        match self {
            Self::Entry(Intended { seq, leaf, what }) => {
                let is_so = match what {
                    IntendedEntry::Batch(batch) => {
                        batch.id.0 > 0 && batch.epoch.0 > 0 && !batch.records.is_empty()
                    }
                    IntendedEntry::Other(entry) => entry.leaf() == *leaf && !matches!(entry, Entry::Batch(_)),
                };
                *seq > 0 && is_so
            }
            Self::Noted { seq, entry } => *seq > 0 && !matches!(entry, Entry::Batch(_)),
            Self::Intent { next, previous } => next.size > previous.size,
            Self::Committed { size } | Self::RolledBack { size } => *size > 0,
            Self::Seen(_) | Self::Succeeded { .. } => true,
        }
    }
}

/// The text of lines.
pub(super) fn text(lines: &[Line]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn number<T: FromStr>(text: &str) -> Result<T, BadLine> {
    text.parse().map_err(|_| BadLine)
}

fn other_entry(text: &str) -> Result<Entry, BadLine> {
    let bytes = BASE64.decode(text.as_bytes()).map_err(|_| BadLine)?;
    number(std::str::from_utf8(&bytes).map_err(|_| BadLine)?)
}

fn head(size: &str, root: &str) -> Result<Head, BadLine> {
    Ok(Head { size: number(size)?, root: number(root)? })
}

/// The first line, which says whose file it is.
pub(super) fn header(origin: Origin) -> String {
    format!("{HEADER}{origin}\n")
}

const HEADER: &str = "signwave/anchor/v1 ";

/// The longest first line, in bytes.
pub(super) const MAX_HEADER: usize = 64;

/// Reads the first line, without its LF.
pub(super) fn origin_of(line: &str) -> Option<Origin> {
    line.strip_prefix(HEADER)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BatchRow, RecordId, ledger::leaf_hash};

    #[test]
    fn every_line_is_read_as_it_is_written() {
        let (leaf, key) = (leaf_hash(b""), "0123456789abcdef".repeat(4));
        let entry = format!("signwave/key/v1\nretired\n{key}\n2026-11-27T12:00:00.000Z\n");
        let batch = format!("signwave/batch/v1\n7\n1\n1\nPS256\n{key}\n2026-11-27T12:00:00.000Z\n{leaf}\n");
        let texts = [
            format!("B 11 7 1-10,12 2 {key} {leaf}"),
            format!("E 11 {} {}", leaf_hash(entry.as_bytes()), BASE64.encode(entry.as_bytes())),
            format!("H 11 {leaf} 10 {leaf}"),
            format!("K 11 {}", BASE64.encode(entry.as_bytes())),
            "C 11".to_owned(),
            "X 11".to_owned(),
            format!("S 11 {leaf}"),
            "N signwave/0123456789abcdef/2".to_owned(),
        ];
        for text in &texts {
            let line: Line = text.parse().unwrap();
            assert_eq!(line.to_string(), *text);
            for (at, _) in text.char_indices() {
                assert_ne!(text[..at].parse(), Ok(line.clone()));
                for more in [" ", "0", "+", "\n", "x"] {
                    let other = format!("{}{more}{}", &text[..at], &text[at..]);
                    assert!(other == *text || other.parse() != Ok(line.clone()), "{other}");
                }
            }
        }
        for text in [
            "",
            "C",
            "C 0",
            "C -1",
            "C 18446744073709551616",
            "c 1",
            "B 1",
            &texts[0].replace("1-10,12 ", " "),
            &texts[0].replace("B 11 7", "B 11 0"),
            &texts[0].replace("abcdef", "ABCDEF"),
            &texts[2].replace("H 11", "H 10"),
            &format!("E 11 {leaf}"),
            &texts[1].replace(&leaf_hash(entry.as_bytes()).to_string(), &leaf.to_string()),
            &format!("E 11 {} {}", leaf_hash(batch.as_bytes()), BASE64.encode(batch.as_bytes())),
            &format!("K 11 {}", BASE64.encode(batch.as_bytes())),
            &format!("K 0 {}", BASE64.encode(entry.as_bytes())),
        ] {
            assert_eq!(text.parse::<Line>(), Err(BadLine), "{text}");
        }
    }

    #[test]
    fn the_longest_line_can_be_read() {
        let last = i64::MAX - 1;
        let records: Runs = (0..BatchRow::MAX_RECORDS as i64)
            .map(|i| RecordId(last - 2 * (BatchRow::MAX_RECORDS as i64 - i)))
            .collect();
        let batch = IntendedBatch {
            id: BatchId(last),
            records,
            epoch: Epoch(last),
            fingerprint: Fingerprint([0; 32]),
        };
        let what = IntendedEntry::Batch(batch);
        let line = Line::Entry(Intended { seq: u64::MAX, leaf: leaf_hash(b""), what });
        assert!(line.to_string().len() <= MAX_LENGTH);
    }

    #[test]
    fn the_first_line_names_the_ledger() {
        let origin: Origin = "signwave/0123456789abcdef/4294967295".parse().unwrap();
        let line = header(origin);
        assert!(line.len() <= MAX_HEADER);
        assert_eq!(origin_of(line.trim_end()), Some(origin));
        assert_eq!(origin_of("signwave/anchor/v2 signwave/0123456789abcdef/1"), None);
    }
}
