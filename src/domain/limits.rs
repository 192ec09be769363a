//! The limits of a key: how many signatures it may make, and when.

use std::{fmt, str::FromStr};

use super::{KeyState, Time};

/// What limits a key. Without a value there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyLimits {
    /// How many signatures of the key may be stored.
    pub max_signatures: Option<MaxSignatures>,
    /// From when on batches may be leased with the key, by the database's clock.
    pub not_before: Option<Time>,
    /// From when on no batch may be leased with the key any more, by the database's clock. A batch that was leased
    /// before is finished.
    pub not_after: Option<Time>,
}

/// The limits to set. `None` keeps a limit as it is, and `Some(None)` removes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named after its limit")]
pub struct LimitChange {
    pub max_signatures: Option<Option<MaxSignatures>>,
    pub not_before: Option<Option<Time>>,
    pub not_after: Option<Option<Time>>,
}

/// Why limits cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitRefusal {
    /// A retired key never signs again.
    #[error("it is retired, which is final")]
    Retired,
    /// Fewer signatures than are stored, or are being made for a leased batch.
    #[error(
        "it has made {stored} signatures and is making {leased}, so max_signatures cannot be lower than {}",
        .stored + .leased
    )]
    BelowUse {
        /// Signatures that are stored.
        stored: i64,
        /// Records of the batch that is leased with the key.
        leased: i64,
    },
    /// The time would be over before it begins.
    #[error("not_before must be earlier than not_after")]
    NoTime,
}

impl KeyLimits {
    /// The limits after a change of a key in this state, which has `stored` signatures and is leased for a batch of
    /// `leased` records.
    ///
    /// # Errors
    /// Says which limit cannot be set.
    pub fn changed(
        self,
        change: &LimitChange,
        state: KeyState,
        stored: i64,
        leased: i64,
    ) -> Result<Self, LimitRefusal> {
        let limits = Self {
            max_signatures: change.max_signatures.unwrap_or(self.max_signatures),
            not_before: change.not_before.unwrap_or(self.not_before),
            not_after: change.not_after.unwrap_or(self.not_after),
        };
        if state == KeyState::Retired {
            return Err(LimitRefusal::Retired);
        }
        if limits.max_signatures.is_some_and(|most| most.get() < stored + leased) {
            return Err(LimitRefusal::BelowUse { stored, leased });
        }
        if limits.not_before.zip(limits.not_after).is_some_and(|(from, until)| from >= until) {
            return Err(LimitRefusal::NoTime);
        }
        Ok(limits)
    }
}

impl fmt::Display for KeyLimits {
    /// For people to read, such as `at most 5000 signatures, not after 2027-01-31T12:00:00.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.max_signatures.map(|most| format!("at most {most} signatures"));
        let from = self.not_before.map(|time| format!("not before {time}"));
        let until = self.not_after.map(|time| format!("not after {time}"));
        let words: Vec<_> = [most, from, until].into_iter().flatten().collect();
        if words.is_empty() { f.write_str("none") } else { f.write_str(&words.join(", ")) }
    }
}

/// A number of signatures from 1 to 2^53 - 1, which every JSON parser reads exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MaxSignatures(i64);

/// A number that is no [`MaxSignatures`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a number of signatures: use 1 to {}", MaxSignatures::HIGHEST)]
pub struct MaxSignaturesError;

impl MaxSignatures {
    /// The highest limit.
    pub const HIGHEST: i64 = (1 << 53) - 1;

    /// The number.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for MaxSignatures {
    type Error = MaxSignaturesError;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        if (1..=Self::HIGHEST).contains(&number) { Ok(Self(number)) } else { Err(MaxSignaturesError) }
    }
}

impl FromStr for MaxSignatures {
    type Err = MaxSignaturesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<i64>().map_err(|_| MaxSignaturesError)?.try_into()
    }
}

impl fmt::Display for MaxSignatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why an active key may not sign now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barred {
    /// Its time has not come.
    NotYetValid,
    /// Its time is over.
    Expired,
    /// Its limit leaves fewer signatures than any open batch has records, or none.
    Exhausted,
}

/// A name that is none of the three.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown reason '{0}' for which a key may not sign")]
pub struct UnknownBarred(pub String);

impl Barred {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::NotYetValid, Self::Expired, Self::Exhausted];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotYetValid => "not-yet-valid",
            Self::Expired => "expired",
            Self::Exhausted => "exhausted",
        }
    }
}

impl fmt::Display for Barred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Barred {
    type Err = UnknownBarred;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.name() == text)
            .ok_or_else(|| UnknownBarred(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn most(number: i64) -> Option<MaxSignatures> {
        Some(number.try_into().unwrap())
    }

    fn time(millis: u64) -> Option<Time> {
        Some(Time::from_millis(millis))
    }

    #[test]
    fn a_change_keeps_sets_and_removes_limits() {
        let limits = KeyLimits { max_signatures: most(9), not_before: time(1), not_after: time(5) };
        let changed = |change| limits.changed(&change, KeyState::Disabled, 4, 3);
        assert_eq!(changed(LimitChange::default()), Ok(limits));
        let change =
            LimitChange { max_signatures: Some(most(7)), not_after: Some(None), ..LimitChange::default() };
        let expected = KeyLimits { max_signatures: most(7), not_before: time(1), not_after: None };
        assert_eq!(changed(change), Ok(expected));
        assert_eq!(expected.to_string(), "at most 7 signatures, not before 1970-01-01T00:00:00.001Z");
        assert_eq!(KeyLimits::default().to_string(), "none");
    }

    #[test]
    fn a_limit_is_never_lower_than_what_was_made_and_is_being_made() {
        let change = LimitChange { max_signatures: Some(most(6)), ..LimitChange::default() };
        let refused = KeyLimits::default().changed(&change, KeyState::Active, 4, 3);
        assert_eq!(refused, Err(LimitRefusal::BelowUse { stored: 4, leased: 3 }));
        assert!(refused.unwrap_err().to_string().ends_with("cannot be lower than 7"));
        assert!(KeyLimits::default().changed(&change, KeyState::Active, 6, 0).is_ok());
    }

    #[test]
    fn the_time_of_a_key_ends_after_it_begins_and_a_retired_key_stays_as_it_is() {
        let limits = KeyLimits { not_before: time(5), ..KeyLimits::default() };
        let change = |at| LimitChange { not_after: Some(time(at)), ..LimitChange::default() };
        let changed = |change| limits.changed(&change, KeyState::Active, 0, 0);
        assert_eq!(changed(change(5)), Err(LimitRefusal::NoTime));
        assert_eq!(changed(change(6)).map(|limits| limits.not_after), Ok(time(6)));
        let retired = limits.changed(&change(6), KeyState::Retired, 0, 0);
        assert_eq!(retired, Err(LimitRefusal::Retired));
    }

    #[test]
    fn a_number_of_signatures_is_one_that_json_can_carry() {
        for text in ["0", "-1", "9007199254740992", "many", ""] {
            assert_eq!(text.parse::<MaxSignatures>(), Err(MaxSignaturesError), "{text}");
        }
        for text in ["1", "9007199254740991"] {
            assert_eq!(text.parse::<MaxSignatures>().unwrap().to_string(), text);
        }
    }
}
