//! Positions in the feed: what a reader keeps, to go on where it was.

use std::{fmt, str::FromStr};

use super::BatchRow;

/// The random name of one feed, written as 12 lower-case hex digits. A database that was restored or made anew has another.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FeedId(pub [u8; 6]);

/// The place of a batch in its feed: 1, 2, 3, .., without gaps. 0 is the place before the first one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub i64);

/// How far a reader has come: it has seen every batch up to `place`, and the first `records` records of the batch behind it.
/// A text such as `5f3c09a1be72.41`, or `5f3c09a1be72.41.500` in the middle of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The feed.
    pub feed: FeedId,
    /// The last batch that was seen as a whole.
    pub place: Place,
    /// Records of the next batch that were seen, fewer than it has.
    pub records: u64,
}

/// Text that is not 12 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id of a feed is 12 lower-case hex digits")]
pub struct FeedIdError;

/// Text that is no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a position is what an export or an answer named, such as 5f3c09a1be72.41")]
pub struct PositionError;

impl Position {
    /// The longest text of a position, in bytes: the id, the largest place, and the most records of a batch.
    pub const LONGEST: usize = 12 + 1 + 19 + 1 + 5;

    /// The beginning of a feed.
    pub fn start(feed: FeedId) -> Self {
        Self { feed, place: Place(0), records: 0 }
    }

    /// The position behind a whole batch.
    pub fn behind(feed: FeedId, place: Place) -> Self {
        Self { feed, place, records: 0 }
    }
}

impl Place {
    /// The next place.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The place before this one.
    #[must_use]
    pub fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for FeedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for FeedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FeedId({self})")
    }
}

impl FromStr for FeedId {
    type Err = FeedIdError;

    fn from_str(text: &str) -> Result<Self, FeedIdError> {
        let is_lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 12 || !text.bytes().all(is_lower_hex) {
            return Err(FeedIdError);
        }
        let number = u64::from_str_radix(text, 16).map_err(|_| FeedIdError)?;
        let [_, _, id @ ..] = number.to_be_bytes();
        Ok(Self(id))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.feed, self.place)?;
        if self.records > 0 { write!(f, ".{}", self.records) } else { Ok(()) }
    }
}

impl FromStr for Position {
    type Err = PositionError;

    /// Accepts only what `Display` writes, so that two positions are equal when their texts are.
    fn from_str(text: &str) -> Result<Self, PositionError> {
        let mut parts = text.split('.');
        let feed = parts.next().and_then(|part| part.parse().ok()).ok_or(PositionError)?;
        let place = parts.next().and_then(canonical).ok_or(PositionError)?;
        let records = match parts.next() {
            None => 0,
            Some(part) => canonical(part).filter(|records| *records > 0).ok_or(PositionError)?,
        };
        let (place, is_whole) = (i64::try_from(place).map_err(|_| PositionError)?, parts.next().is_none());
        let is_in_a_batch = records < BatchRow::MAX_RECORDS as u64;
        let position = Self { feed, place: Place(place), records };
        Some(position).filter(|_| is_whole && is_in_a_batch).ok_or(PositionError)
    }
}

/// A number in decimal digits, without a sign or leading zeros.
fn canonical(text: &str) -> Option<u64> {
    let is_canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_written_in_one_way_only() {
        let feed = FeedId([0x5f, 0x3c, 0x09, 0xa1, 0xbe, 0x72]);
        for (place, records, text) in [
            (0, 0, "5f3c09a1be72.0"),
            (41, 0, "5f3c09a1be72.41"),
            (0, 1, "5f3c09a1be72.0.1"),
            (i64::MAX, 99_999, "5f3c09a1be72.9223372036854775807.99999"),
        ] {
            let position = Position { feed, place: Place(place), records };
            assert_eq!((position.to_string().as_str(), text.parse()), (text, Ok(position)));
            assert!(text.len() <= Position::LONGEST);
        }
        for text in [
            "",
            ".",
            "0",
            "5f3c09a1be72",
            "5f3c09a1be72.",
            "5f3c09a1be72.01",
            "5f3c09a1be72.+1",
            "5f3c09a1be72.-1",
            "5f3c09a1be72.1.0",
            "5f3c09a1be72.1.01",
            "5f3c09a1be72.1.100000",
            "5f3c09a1be72.1.2.3",
            "5f3c09a1be72.1.",
            "5F3C09A1BE72.1",
            "5f3c09a1be7.1",
            "5f3c09a1be723.1",
            "5f3c09a1be7g.1",
            "5f3c09a1be72.9223372036854775808",
            " 5f3c09a1be72.1",
            "5f3c09a1be72.1\n",
            "+f3c09a1be72.1",
            "5f3c09a1be72.\u{661}",
        ] {
            assert_eq!(text.parse::<Position>(), Err(PositionError), "{text}");
        }
    }
}
