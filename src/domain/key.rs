//! A key: the place of its private half, its states, and the choice of the key that signs next.

use std::{fmt, str::FromStr};

use super::{Fingerprint, KeyId};

/// A stored key, from which a signer is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// Its id.
    pub id: KeyId,
    /// Its name in every database and log: SHA-256 of `public_key`.
    pub fingerprint: Fingerprint,
    /// DER SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
    /// The private half, or where it is.
    pub material: KeyMaterial,
}

/// The private half of a key, or where it is.
#[derive(Clone, PartialEq, Eq)]
pub enum KeyMaterial {
    /// The private half itself, sealed under the master key: the database has custody of it.
    Sealed(Vec<u8>),
    /// The private half is outside the database, such as in a hardware token.
    Elsewhere {
        /// The name of its custodian.
        custody: String,
        /// How the custodian finds the key. The location is not secret.
        location: String,
    },
}

impl KeyMaterial {
    /// The custody of sealed keys.
    pub const DATABASE: &str = "database";

    /// The columns `custody`, `sealed_key` and `location` of `signing_key`.
    pub fn columns(&self) -> (&str, Option<&[u8]>, Option<&str>) {
        match self {
            Self::Sealed(sealed) => (Self::DATABASE, Some(sealed), None),
            Self::Elsewhere { custody, location } => (custody, None, Some(location)),
        }
    }

    /// Reads the same columns.
    ///
    /// # Errors
    /// When they contradict each other, which the schema refuses.
    pub fn from_columns(
        custody: String,
        sealed_key: Option<Vec<u8>>,
        location: Option<String>,
    ) -> Result<Self, ContradictoryCustody> {
        match (custody == Self::DATABASE, sealed_key, location) {
            (true, Some(sealed), None) => Ok(Self::Sealed(sealed)),
            (false, None, Some(location)) => Ok(Self::Elsewhere { custody, location }),
            _ => Err(ContradictoryCustody(custody)),
        }
    }
}

impl fmt::Debug for KeyMaterial {
    /// Never shows the sealed bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sealed(_) => f.write_str("Sealed(..)"),
            Self::Elsewhere { custody, location } => write!(f, "Elsewhere({custody:?}, {location:?})"),
        }
    }
}

/// The columns of a key contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "custody '{0}' contradicts sealed_key and location: 'database' needs sealed_key only, any other custody needs \
     location only"
)]
pub struct ContradictoryCustody(pub String);

/// Whether a key may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// The key signs when its turn comes.
    Active,
    /// An operator has set the key aside. It can be enabled again.
    Disabled,
    /// The key never signs again. It is kept because its signatures must stay verifiable.
    Retired,
    /// The service has set the key aside after repeated failures. It can be enabled again.
    Suspended,
}

/// A name that is none of the four states.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown key state '{0}'")]
pub struct UnknownKeyState(pub String);

impl KeyState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Active, Self::Disabled, Self::Retired, Self::Suspended];

    /// The name stored in `signing_key.state`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Retired => "retired",
            Self::Suspended => "suspended",
        }
    }

    /// Whether a key in this state may be put in state `next`. Retirement is final.
    pub const fn may_become(self, next: Self) -> bool {
        !matches!(self, Self::Retired) || matches!(next, Self::Retired)
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyState {
    type Err = UnknownKeyState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == text)
            .ok_or_else(|| UnknownKeyState(text.to_owned()))
    }
}

/// The facts on which the choice of a key depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// The key.
    pub id: KeyId,
    /// Whether it may sign.
    pub state: KeyState,
    /// Whether its limits keep it from signing now.
    pub barred: bool,
    /// Whether some batch is leased with it, on any node.
    pub leased: bool,
    /// Its place in the order of use: higher is more recent, 0 is never.
    pub last_leased: i64,
    /// How many more signatures its limit allows; `None` without a limit.
    pub left: Option<i64>,
}

/// A key that may sign a batch now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleKey {
    /// The key.
    pub id: KeyId,
    /// How many more signatures its limit allows; `None` without a limit.
    pub left: Option<i64>,
}

impl IdleKey {
    fn may_sign(&self, records: i64) -> bool {
        self.left.is_none_or(|left| records <= left)
    }
}

/// The rule of selection: each batch, the oldest first, gets the least recently used of the keys whose limits allow
/// as many signatures as the batch has records. A key that may not sign a batch is left for the next one, and a batch
/// that no key may sign waits, so that neither holds up the others.
#[derive(Clone, Debug, Default)]
pub struct IdleKeys(Vec<IdleKey>);

impl IdleKeys {
    /// The keys that may sign now, least recently used first. Of two keys that were never used, the older one comes
    /// first.
    pub fn least_recently_used(keys: impl IntoIterator<Item = KeyUse>) -> Self {
        let may_sign = |key: &KeyUse| key.state == KeyState::Active && !key.barred && !key.leased;
        let mut idle: Vec<_> = keys.into_iter().filter(may_sign).collect();
        idle.sort_unstable_by_key(|key| (key.last_leased, key.id));
        Self(idle.into_iter().map(|key| IdleKey { id: key.id, left: key.left }).collect())
    }

    /// Keys that are in that order already.
    pub fn in_order(keys: Vec<IdleKey>) -> Self {
        Self(keys)
    }

    /// Takes the key that signs a batch of so many records; `None` if no key may.
    pub fn take(&mut self, records: i64) -> Option<KeyId> {
        let place = self.0.iter().position(|key| key.may_sign(records))?;
        Some(self.0.remove(place).id)
    }

    /// How many records a batch may have for which [`take`](Self::take) finds a key; `None` if no key is left.
    pub fn most(&self) -> Option<i64> {
        self.0.iter().map(|key| key.left.unwrap_or(i64::MAX)).max()
    }

    /// How many keys are left.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: i64, state: KeyState, leased: bool, last_leased: i64) -> KeyUse {
        KeyUse { id: KeyId(id), state, barred: false, leased, last_leased, left: None }
    }

    fn taken(mut keys: IdleKeys, batches: &[i64]) -> Vec<Option<i64>> {
        batches.iter().map(|records| keys.take(*records).map(|key| key.0)).collect()
    }

    #[test]
    fn the_least_recently_used_idle_active_keys_are_chosen_in_order() {
        let keys = [
            key(1, KeyState::Active, false, 7),
            key(2, KeyState::Active, true, 1),
            key(3, KeyState::Suspended, false, 0),
            key(4, KeyState::Active, false, 0),
            key(5, KeyState::Active, false, 3),
            key(6, KeyState::Active, false, 0),
            KeyUse { barred: true, ..key(7, KeyState::Active, false, 0) },
        ];
        let idle = IdleKeys::least_recently_used(keys);
        assert_eq!(taken(idle, &[9; 5]), [Some(4), Some(6), Some(5), Some(1), None]);
    }

    #[test]
    fn a_key_signs_the_oldest_batch_that_its_limit_allows_and_neither_holds_up_the_others() {
        let idle = |left: &[Option<i64>]| {
            let keys = (1..).zip(left).map(|(id, left)| IdleKey { id: KeyId(id), left: *left });
            IdleKeys::in_order(keys.collect())
        };
        let (few, many) = (Some(3), Some(10));
        assert_eq!(taken(idle(&[few, None, many]), &[10, 10, 3]), [Some(2), Some(3), Some(1)]);
        assert_eq!(
            taken(idle(&[few, many]), &[4, 4, 3]),
            [Some(2), None, Some(1)],
            "no key may sign the second"
        );
        assert_eq!(taken(idle(&[many, few]), &[3, 4]), [Some(1), None], "the order comes before a good fit");
        assert_eq!(taken(idle(&[few]), &[3, 1]), [Some(1), None], "a key signs one batch at a time");
        assert_eq!(idle(&[few, many]).most(), many);
        assert_eq!(idle(&[few, None]).most(), Some(i64::MAX));
        assert_eq!((idle(&[]).most(), idle(&[few, None]).count()), (None, 2));
    }

    #[test]
    fn a_sealed_key_is_in_the_database_and_any_other_has_a_location() {
        let (sealed, location) = (vec![1], "id=%01".to_owned());
        let materials = [
            KeyMaterial::Sealed(sealed.clone()),
            KeyMaterial::Elsewhere { custody: "hsm".to_owned(), location: location.clone() },
        ];
        for material in materials {
            let (custody, sealed, location) = material.columns();
            let columns = (custody.to_owned(), sealed.map(<[u8]>::to_vec), location.map(str::to_owned));
            assert_eq!(KeyMaterial::from_columns(columns.0, columns.1, columns.2), Ok(material));
        }
        for (custody, sealed_key, location) in [
            ("database", None, None),
            ("database", None, Some(location.clone())),
            ("database", Some(sealed.clone()), Some(location.clone())),
            ("hsm", None, None),
            ("hsm", Some(sealed.clone()), None),
            ("hsm", Some(sealed), Some(location)),
        ] {
            let refused = KeyMaterial::from_columns(custody.to_owned(), sealed_key, location);
            assert_eq!(refused, Err(ContradictoryCustody(custody.to_owned())));
        }
    }

    #[test]
    fn a_retired_key_stays_retired() {
        for next in KeyState::ALL {
            assert_eq!(KeyState::Retired.may_become(next), next == KeyState::Retired);
            assert!(KeyState::Active.may_become(next));
        }
    }
}
