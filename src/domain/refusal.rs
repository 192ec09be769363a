//! Why something that arrives from a broker becomes no record.

use std::{fmt, str::FromStr};

/// Why a message becomes no record. It never becomes one by arriving again: somebody has to change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// It has no name, so that it could not be told from a new one when it arrives again.
    NoExternalId,
    /// Its name is none that a record may have.
    BadExternalId,
    /// A record with its name and another payload exists.
    Conflict,
    /// Its payload is larger than a record's may be.
    TooLarge,
    /// Its bytes are not what the form of the messages asks for.
    Malformed,
    /// The schema refuses it, such as by a constraint that a user has added.
    Schema,
}

/// A name that is none of those of the reasons.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown reason '{0}' for which a message is refused")]
pub struct UnknownRefusal(pub String);

impl Refusal {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::NoExternalId,
        Self::BadExternalId,
        Self::Conflict,
        Self::TooLarge,
        Self::Malformed,
        Self::Schema,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoExternalId => "no-external-id",
            Self::BadExternalId => "bad-external-id",
            Self::Conflict => "conflict",
            Self::TooLarge => "too-large",
            Self::Malformed => "malformed",
            Self::Schema => "schema",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Refusal {
    type Err = UnknownRefusal;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.name() == text)
            .ok_or_else(|| UnknownRefusal(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_read_as_it_is_written() {
        for (place, reason) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place, "counters are kept by place");
            assert_eq!(reason.to_string().parse(), Ok(reason));
        }
        assert_eq!("Conflict".parse::<Refusal>(), Err(UnknownRefusal("Conflict".to_owned())));
    }
}
