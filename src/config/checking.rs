//! Which signatures are verified before they are stored.

use std::{fmt, str::FromStr};

/// When each signature of a batch is verified with its key's stored public key, between signing and
/// storing. One that does not verify sends its batch back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checking {
    /// When the signer does not check its own results.
    #[default]
    Needed,
    /// Even when the signer checks its own results.
    Always,
}

/// A value that is neither `needed` nor `always`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown value '{0}' for check-signatures: use needed or always")]
pub struct UnknownChecking(String);

impl Checking {
    /// Whether to verify the signatures of a signer whose `Signer::checks_itself` is `checks_itself`.
    pub fn verifies(self, checks_itself: bool) -> bool {
        match self {
            Self::Needed => !checks_itself,
            Self::Always => true,
        }
    }
}

impl FromStr for Checking {
    type Err = UnknownChecking;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "needed" => Ok(Self::Needed),
            "always" => Ok(Self::Always),
            _ => Err(UnknownChecking(text.to_owned())),
        }
    }
}

impl fmt::Display for Checking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Needed => "needed",
            Self::Always => "always",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_signers_checked_that_do_not_check_themselves() {
        // A new value does not compile until it is listed here.
        let next = |checking: &Checking| match checking {
            Checking::Needed => Some(Checking::Always),
            Checking::Always => None,
        };
        let mut all = std::iter::successors(Some(Checking::Needed), next);
        assert!(all.all(|checking| checking.verifies(false)));
        assert_eq!([Checking::default(), Checking::Always].map(|c| c.verifies(true)), [false, true]);
    }

    #[test]
    fn no_text_turns_the_check_off() {
        for checking in [Checking::Needed, Checking::Always] {
            assert_eq!(checking.to_string().parse(), Ok(checking));
        }
        for text in ["never", "", "Always", "no"] {
            assert_eq!(Checking::from_str(text), Err(UnknownChecking(text.to_owned())));
        }
    }
}
