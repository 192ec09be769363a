//! The keys of the database that a custodian should have.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use crate::{
    domain::{Fingerprint, KeyState},
    formats::shown::field,
    store::KeyRow,
};

/// The keys of the database, compared with those of a custodian.
pub(super) struct Compared<'a> {
    custodian: &'a str,
    /// Those that were not found yet.
    left: HashMap<Fingerprint, &'a KeyRow>,
}

/// What the database says of a key that the custodian has.
pub(super) struct Found {
    /// The words.
    pub(super) words: String,
    /// Whether another custodian has it, as far as the database knows.
    pub(super) is_elsewhere: bool,
}

impl<'a> Compared<'a> {
    pub(super) fn new(custodian: &'a str, keys: &'a [KeyRow]) -> Self {
        Self { custodian, left: keys.iter().map(|key| (key.fingerprint, key)).collect() }
    }

    /// What the database says of a key that the custodian has. `which` are the arguments of 'keys add' that name the key.
    pub(super) fn found(&mut self, fingerprint: Fingerprint, which: &str) -> Found {
        let key = self.left.remove(&fingerprint);
        let is_elsewhere = key.is_some_and(|key| key.custody != self.custodian);
        let words = match key {
            Some(key) if is_elsewhere => {
                format!("key {}, but in the custody of {}", key.id, field(&key.custody))
            }
            Some(key) => format!("key {}, {}", key.id, key.state),
            None => format!(
                "not in the database: 'signwave keys add --custodian {} {which}' adds it",
                self.custodian
            ),
        };
        Found { words, is_elsewhere }
    }

    /// Prints the keys that the custodian should have and were not found, the oldest first, each with what to do. Returns
    /// how many there are.
    pub(super) fn print_missing(self, what_to_do: &str, out: &mut impl Write) -> io::Result<usize> {
        let is_missed = |key: &&KeyRow| key.custody == self.custodian && key.state != KeyState::Retired;
        let mut missing: Vec<_> = self.left.into_values().filter(is_missed).collect();
        missing.sort_unstable_by_key(|key| key.id);
        for key in &missing {
            writeln!(out, "  key {} ({}): {what_to_do}", key.id, key.fingerprint)?;
        }
        Ok(missing.len())
    }
}
