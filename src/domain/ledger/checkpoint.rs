//! Checkpoints: what is signed of a ledger (<https://c2sp.org/tlog-checkpoint>).

use std::{fmt, str::FromStr};

use super::{Hash, Origin};

/// The root of a ledger at one size. Its text has three lines, each ended with LF: origin, size, root. It has no
/// extension lines, because cosignatures with ML-DSA would not cover them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The ledger.
    pub origin: Origin,
    /// How many entries it has.
    pub size: u64,
    /// The root of its tree.
    pub root: Hash,
}

/// Text that is no [`Checkpoint`] of Sign Wave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no checkpoint of a ledger of Sign Wave")]
pub struct BadCheckpoint;

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)
    }
}

impl FromStr for Checkpoint {
    type Err = BadCheckpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut lines = text.lines();
        let mut line = || lines.next().ok_or(BadCheckpoint);
        let checkpoint = Self {
            origin: line()?.parse().map_err(|_| BadCheckpoint)?,
            size: line()?.parse().map_err(|_| BadCheckpoint)?,
            root: line()?.parse().map_err(|_| BadCheckpoint)?,
        };
        // This refuses what was left over, and what was read leniently.
        if checkpoint.to_string() == text { Ok(checkpoint) } else { Err(BadCheckpoint) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::leaf_hash;

    #[test]
    fn a_checkpoint_has_one_text() {
        let root = leaf_hash(b"");
        let text = format!("signwave/0123456789abcdef/1\n10\n{root}\n");
        assert_eq!(text.parse::<Checkpoint>().unwrap().to_string(), text);
        for other in [
            String::new(),
            text.trim_end().to_owned(),
            format!("{text}\n"),
            format!("{text}extension\n"),
            text.replace('\n', "\r\n"),
            text.replace("\n10\n", "\n010\n"),
            text.replace("\n10\n", "\n+10\n"),
            text.replace("\n10\n", "\n-1\n"),
            text.replace("\n10\n", "\n18446744073709551616\n"),
            text.replace("signwave", "example.com"),
        ] {
            assert_eq!(other.parse::<Checkpoint>(), Err(BadCheckpoint), "{other:?}");
        }
    }
}
