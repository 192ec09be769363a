//! Custody: who keeps the private halves of keys.

use std::{collections::BTreeSet, fmt};

use serde::Deserialize;

use super::KeyMaterial;

/// The custodians whose keys a node can use. By default this is the database alone, which keeps private keys under
/// the master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach(BTreeSet<String>);

impl Reach {
    /// These custodians, and no other.
    pub fn of(custodians: impl IntoIterator<Item = String>) -> Self {
        Self(custodians.into_iter().collect())
    }

    /// Whether a node with this reach can use the keys of a custodian.
    pub fn includes(&self, custodian: &str) -> bool {
        self.0.contains(custodian)
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl Default for Reach {
    fn default() -> Self {
        Self::of([KeyMaterial::DATABASE.to_owned()])
    }
}

/// The names with commas between them, as `node.custodians` has them.
impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join(","))
    }
}

/// Reads what `Display` writes.
impl From<&str> for Reach {
    fn from(text: &str) -> Self {
        Self::of(text.split(',').filter(|name| !name.is_empty()).map(str::to_owned))
    }
}

/// The name of a custodian in the settings: 1 to 40 lower-case letters, digits, `-` and `_`, of which the first is a
/// letter. `database` is taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct CustodianName(String);

/// A text that no custodian can be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a custodian cannot be called '{}': use 1 to 40 lower-case letters, digits, '-' and '_', begin with a letter, and \
     do not take 'database'",
    .0.chars().take(40).flat_map(char::escape_debug).collect::<String>()
)]
pub struct CustodianNameError(pub String);

impl CustodianName {
    /// The longest name.
    const LONGEST: usize = 40;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CustodianName {
    type Error = CustodianNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        let is_name = text.len() <= Self::LONGEST
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(is_allowed)
            && text != KeyMaterial::DATABASE;
        if is_name { Ok(Self(text)) } else { Err(CustodianNameError(text)) }
    }
}

impl fmt::Display for CustodianName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reach_is_read_back_from_its_text() {
        for text in ["", "database", "database,files,hsm1"] {
            assert_eq!(Reach::from(text).to_string(), text);
        }
        assert_eq!(Reach::default().to_string(), "database");
        assert!(Reach::from("files,hsm1").includes("hsm1") && !Reach::from("files,hsm1").includes("hsm"));
    }

    #[test]
    fn a_custodian_has_a_plain_name() {
        for name in ["hsm1", "key-files_2"] {
            assert_eq!(CustodianName::try_from(name.to_owned()).unwrap().as_str(), name);
        }
        for name in ["", "database", "1hsm", "Hsm", "a,b", "a b", "-a", &"x".repeat(41)] {
            assert_eq!(CustodianName::try_from(name.to_owned()), Err(CustodianNameError(name.to_owned())));
        }
    }
}
