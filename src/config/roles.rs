//! Which parts of the work a node does.

use std::{fmt, str::FromStr};

/// Forming batches, signing them, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Roles {
    /// Both: a single node needs both.
    #[default]
    Both,
    /// The node forms batches and keeps them ready for signing nodes. It needs no master key.
    Emit,
    /// The node signs the batches that other nodes form.
    Sign,
}

/// A text that contains an unknown role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown role in '{0}': use emit, sign or emit,sign")]
pub struct UnknownRole(String);

impl Roles {
    /// Whether the node forms batches.
    pub fn emits(self) -> bool {
        self != Self::Sign
    }

    /// Whether the node leases and signs batches.
    pub fn signs(self) -> bool {
        self != Self::Emit
    }
}

impl FromStr for Roles {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (mut emits, mut signs) = (false, false);
        for role in text.split(',') {
            match role.trim() {
                "emit" => emits = true,
                "sign" => signs = true,
                _ => return Err(UnknownRole(text.to_owned())),
            }
        }
        Ok(match (emits, signs) {
            (true, false) => Self::Emit,
            (false, true) => Self::Sign,
            _ => Self::Both,
        })
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Both => "emit,sign",
            Self::Emit => "emit",
            Self::Sign => "sign",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_as_they_are_shown_and_in_any_order() {
        for roles in [Roles::Both, Roles::Emit, Roles::Sign] {
            assert_eq!(roles.to_string().parse(), Ok(roles));
        }
        assert_eq!("sign, emit".parse(), Ok(Roles::Both));
        assert_eq!(Roles::default(), Roles::Both);
    }

    #[test]
    fn a_node_without_a_role_or_with_an_unknown_one_is_refused() {
        for text in ["", ",", "emit,", "emit,signs", "Sign", "both"] {
            assert_eq!(Roles::from_str(text), Err(UnknownRole(text.to_owned())), "{text}");
        }
    }
}
