//! Scopes: what a token may do.

use std::{fmt, str::FromStr};

/// One thing that a token may do. No scope includes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Add records.
    Submit,
    /// Read records, signatures, batches, nodes and the status.
    Read,
    /// Manage the keys.
    Operate,
    /// Manage the tokens, and read the audit log.
    Admin,
}

impl Scope {
    /// Every scope, in the order in which they are written.
    pub const ALL: [Self; 4] = [Self::Submit, Self::Read, Self::Operate, Self::Admin];

    /// The name, as it is stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scope| scope.name() == text).ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

/// A set of scopes, at least one. Its text has the names in the order of [`Scope::ALL`], such as `submit,read`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// The set of these scopes; `None` if there are none.
    pub fn of(scopes: impl IntoIterator<Item = Scope>) -> Option<Self> {
        let bits = scopes.into_iter().fold(0, |bits, scope| bits | scope.bit());
        (bits != 0).then_some(Self(bits))
    }

    /// Whether the set has `scope` itself. Admin allows nothing but administration.
    pub const fn allows(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether the set has every scope of `other`.
    pub const fn include(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The scopes, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.allows(*scope))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, scope) in self.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{scope}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scopes({self})")
    }
}

impl FromStr for Scopes {
    type Err = UnknownScope;

    /// Reads names divided by commas, in any order. Spaces around a name are ignored.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let scopes: Vec<Scope> = text.split(',').map(|name| name.trim().parse()).collect::<Result<_, _>>()?;
        Self::of(scopes).ok_or_else(|| UnknownScope(String::new()))
    }
}

/// A name that is none of the scopes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope '{0}': the scopes are submit, read, operate and admin")]
pub struct UnknownScope(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_scopes_is_its_text_in_one_order() {
        let text = |text: &str| text.parse::<Scopes>().map(|scopes| scopes.to_string());
        assert_eq!(text("read,submit"), Ok("submit,read".to_owned()));
        assert_eq!(text(" admin , read,read"), Ok("read,admin".to_owned()));
        assert_eq!(text("submit,read,operate,admin"), Ok("submit,read,operate,admin".to_owned()));
        for bad in ["", ",", "read,", "READ", "all", "read submit"] {
            assert!(text(bad).is_err(), "{bad}");
        }
        assert_eq!(Scopes::of([]), None);
    }

    #[test]
    fn no_scope_includes_another() {
        for one in Scope::ALL {
            let only = Scopes::of([one]).unwrap();
            for other in Scope::ALL {
                assert_eq!(only.allows(other), one == other);
                let both = Scopes::of([one, other]).unwrap();
                assert!(both.include(only));
                assert_eq!(only.include(both), one == other);
            }
        }
    }
}
