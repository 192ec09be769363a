//! The entries of a ledger: what the leaves of its tree say.

use std::{fmt, str::FromStr};

use super::{Hash, Head, Origin, leaf_hash};
use crate::domain::{BatchId, Epoch, Fingerprint, Runs, Scheme, Time};

/// An entry. Its text is the data of a leaf: a line that names kind and version, then a line for each field in the order
/// below. Each line ends with LF, and each entry has exactly one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A batch was signed.
    Batch(BatchSigned),
    /// A key was added or retired.
    Key(KeyChanged),
    /// A database that was put back was accepted, though it lacks what had been committed.
    Restore(Restored),
}

/// The facts of a signed batch, none of which can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchSigned {
    /// Its id.
    pub batch: BatchId,
    /// Its records, at least one.
    pub records: Runs,
    /// The lease under which it was signed.
    pub epoch: Epoch,
    /// How it was signed.
    pub scheme: Scheme,
    /// The key that signed it.
    pub fingerprint: Fingerprint,
    /// When its signatures were stored, as the database says.
    pub signed_at: Time,
    /// The root of its [`RecordsTree`](super::RecordsTree).
    pub root: Hash,
}

/// A change of the pool of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChanged {
    /// What happened.
    pub change: KeyChange,
    /// The key.
    pub fingerprint: Fingerprint,
    /// When, as the database says.
    pub at: Time,
}

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// It may sign from now on.
    Added,
    /// It signs no more.
    Retired,
}

/// The first entry of an incarnation that continues an earlier one from before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The earlier incarnation.
    pub from: Origin,
    /// How many of its entries are kept.
    pub kept: u64,
    /// Its root at that size.
    pub root: Hash,
    /// The largest size that it is known to have had.
    pub lost: u64,
    /// The [`LostBatches`](super::LostBatches) from then on.
    pub batches: Head,
    /// When, as the database says.
    pub at: Time,
    /// Why, in the words of the person who accepted it.
    pub reason: Reason,
}

/// One line of 1 to 500 characters, without control characters or spaces at its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(String);

/// Text that is no entry, or no part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEntry {
    /// The text is no entry.
    #[error("this is no entry of a ledger, or of a kind that this version does not know")]
    Malformed,
    /// The text is no [`Reason`].
    #[error("a reason is one line of 1 to 500 characters, without control characters or spaces at its ends")]
    Reason,
}

impl Entry {
    const BATCH: &str = "signwave/batch/v1";
    const KEY: &str = "signwave/key/v1";
    const RESTORE: &str = "signwave/restore/v1";

    /// The name of its kind, as stored in `receipt.kind`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Batch(_) => "batch",
            Self::Key(_) => "key",
            Self::Restore(_) => "restore",
        }
    }

    /// Its leaf in the tree.
    pub fn leaf(&self) -> Hash {
        leaf_hash(self.to_string().as_bytes())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch(BatchSigned { batch, records, epoch, scheme, fingerprint, signed_at, root }) => {
                writeln!(f, "{}\n{batch}\n{records}\n{epoch}\n{scheme}\n{fingerprint}", Self::BATCH)?;
                writeln!(f, "{signed_at}\n{root}")
            }
            Self::Key(KeyChanged { change, fingerprint, at }) => {
                writeln!(f, "{}\n{}\n{fingerprint}\n{at}", Self::KEY, change.name())
            }
            Self::Restore(Restored { from, kept, root, lost, batches, at, reason }) => {
                writeln!(f, "{}\n{from}\n{kept}\n{root}\n{lost}", Self::RESTORE)?;
                writeln!(f, "{}\n{}\n{at}\n{}", batches.size, batches.root, reason.as_str())
            }
        }
    }
}

impl FromStr for Entry {
    type Err = BadEntry;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = text.strip_suffix('\n').and_then(|lines| {
            let lines: Vec<_> = lines.split('\n').collect();
            match *lines {
                [Self::BATCH, ref fields @ ..] => BatchSigned::read(fields).map(Self::Batch),
                [Self::KEY, ref fields @ ..] => KeyChanged::read(fields).map(Self::Key),
                [Self::RESTORE, ref fields @ ..] => Restored::read(fields).map(Self::Restore),
                _ => None,
            }
        });
        // Some fields can be read from several texts, of which one is the entry's.
        read.filter(|entry| entry.to_string() == text).ok_or(BadEntry::Malformed)
    }
}

impl BatchSigned {
    fn read(fields: &[&str]) -> Option<Self> {
        let [batch, records, epoch, scheme, fingerprint, signed_at, root] = fields else { return None };
        let records: Runs = records.parse().ok()?;
        Some(Self {
            batch: BatchId(positive(batch)?),
            records: (!records.is_empty()).then_some(records)?,
            epoch: Epoch(positive(epoch)?),
            scheme: scheme.parse().ok()?,
            fingerprint: fingerprint.parse().ok()?,
            signed_at: signed_at.parse().ok()?,
            root: root.parse().ok()?,
        })
    }
}

impl KeyChanged {
    fn read(fields: &[&str]) -> Option<Self> {
        let [change, fingerprint, at] = fields else { return None };
        Some(Self {
            change: [KeyChange::Added, KeyChange::Retired]
                .into_iter()
                .find(|known| known.name() == *change)?,
            fingerprint: fingerprint.parse().ok()?,
            at: at.parse().ok()?,
        })
    }
}

impl Restored {
    fn read(fields: &[&str]) -> Option<Self> {
        let [from, kept, root, lost, batches, batches_root, at, reason] = fields else { return None };
        Some(Self {
            from: from.parse().ok()?,
            kept: kept.parse().ok()?,
            root: root.parse().ok()?,
            lost: lost.parse().ok()?,
            batches: Head { size: batches.parse().ok()?, root: batches_root.parse().ok()? },
            at: at.parse().ok()?,
            reason: reason.parse().ok()?,
        })
    }
}

/// Ids, and the epochs of leases, are greater than 0.
fn positive(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number| *number > 0)
}

impl KeyChange {
    /// The name, as it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Retired => "retired",
        }
    }
}

impl Reason {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reason {
    type Err = BadEntry;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_line = (1..=500).contains(&text.chars().count()) && text.trim() == text;
        if is_line && !text.contains(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadEntry::Reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> [String; 4] {
        let root = leaf_hash(b"");
        let key = "0123456789abcdef".repeat(4);
        let time = "2026-11-27T12:00:00.000Z";
        [
            format!("signwave/batch/v1\n7\n1-10,12\n2\nPS256\n{key}\n{time}\n{root}\n"),
            format!("signwave/key/v1\nadded\n{key}\n{time}\n"),
            format!("signwave/key/v1\nretired\n{key}\n{time}\n"),
            format!(
                "signwave/restore/v1\nsignwave/0123456789abcdef/1\n5\n{root}\n9\n3\n{root}\n{time}\nthe disk died\n"
            ),
        ]
    }

    #[test]
    fn an_entry_is_read_back_from_its_text() {
        let kinds = texts().map(|text| {
            let entry: Entry = text.parse().unwrap();
            assert_eq!(entry.to_string(), text);
            assert_eq!(entry.leaf(), leaf_hash(text.as_bytes()));
            entry.kind()
        });
        assert_eq!(kinds, ["batch", "key", "key", "restore"]);
    }

    #[test]
    fn no_other_text_is_the_same_entry() {
        let refused = |text: &str| assert_eq!(text.parse::<Entry>(), Err(BadEntry::Malformed), "{text:?}");
        for text in texts() {
            let entry = text.parse::<Entry>().ok();
            for (at, _) in text.char_indices() {
                refused(&text[..at]);
                for more in ["\n", " ", "0", "+", "\r", "-"] {
                    let other = format!("{}{more}{}", &text[..at], &text[at..]);
                    assert!(other.parse().ok() != entry, "{other:?}");
                }
            }
            for (from, to) in
                [("v1", "v2"), ("abcdef", "ABCDEF"), ("00Z", "00+00:00"), (".000Z", "Z"), ("added", "lost")]
            {
                if text.contains(from) {
                    refused(&text.replacen(from, to, 1));
                }
            }
            refused(&format!("{text}{text}"));
        }
        let batch = &texts()[0];
        for (from, to) in [("1-10,12", ""), ("\n7\n", "\n0\n"), ("\n2\n", "\n-2\n"), ("PS256", "ps256")] {
            refused(&batch.replacen(from, to, 1));
        }
    }

    #[test]
    fn a_reason_is_one_line() {
        for text in ["x", "the disk died", &"é".repeat(500)] {
            assert_eq!(text.parse::<Reason>().unwrap().as_str(), text);
        }
        for text in ["", " x", "x\n", "x\ny", "\u{1b}[2J", &"x".repeat(501)] {
            assert_eq!(text.parse::<Reason>(), Err(BadEntry::Reason), "{text:?}");
        }
    }
}
