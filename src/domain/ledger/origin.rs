//! The name of a ledger, which changes when a restore is accepted.

use std::{fmt, num::NonZeroU32, str::FromStr};

use data_encoding::HEXLOWER;

/// Tells a ledger from those of other databases: 8 random bytes, written as 16 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LedgerId(pub [u8; 8]);

/// Names one history, such as `signwave/0123456789abcdef/1`. It is the origin of checkpoints
/// (<https://c2sp.org/tlog-checkpoint>), so no two trees of one origin may contradict each other. A restore that is accepted
/// begins the next incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The ledger.
    pub id: LedgerId,
    /// Its incarnation, counted from 1.
    pub incarnation: NonZeroU32,
}

impl Origin {
    /// The incarnation that begins when a restore is accepted; `None` after the last one that has a number.
    pub fn next(self) -> Option<Self> {
        Some(Self { incarnation: self.incarnation.checked_add(1)?, ..self })
    }
}

/// Text that is no [`Origin`], or no [`LedgerId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the origin of a ledger is written as signwave/0123456789abcdef/1")]
pub struct BadOrigin;

impl fmt::Display for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        HEXLOWER.encode_display(&self.0).fmt(f)
    }
}

impl FromStr for LedgerId {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| BadOrigin)?;
        bytes.try_into().map(Self).map_err(|_| BadOrigin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signwave/{}/{}", self.id, self.incarnation)
    }
}

impl FromStr for Origin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.strip_prefix("signwave/").and_then(|rest| rest.split_once('/'));
        let (id, incarnation) = parts.ok_or(BadOrigin)?;
        let origin = Self { id: id.parse()?, incarnation: incarnation.parse().map_err(|_| BadOrigin)? };
        // A number can be read from several texts, of which one is the origin.
        if origin.to_string() == text { Ok(origin) } else { Err(BadOrigin) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_text() {
        let text = "signwave/0123456789abcdef/12";
        assert_eq!(text.parse::<Origin>().unwrap().to_string(), text);
        for text in [
            "",
            "signwave/0123456789abcdef",
            "signwave/0123456789abcdef/",
            "signwave/0123456789abcdef/0",
            "signwave/0123456789abcdef/01",
            "signwave/0123456789abcdef/+1",
            "signwave/0123456789abcdef/1/1",
            "signwave/0123456789abcdef/1\n",
            "signwave/0123456789ABCDEF/1",
            "signwave/0123456789abcd/1",
            "Signwave/0123456789abcdef/1",
            "signwave/0123456789abcdef/4294967296",
        ] {
            assert_eq!(text.parse::<Origin>(), Err(BadOrigin), "{text}");
        }
    }
}
