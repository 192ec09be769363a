//! Keys that seem to make their token fail.

use std::{collections::HashMap, mem};

use super::protocol::KeyAddress;

/// So many failures in a row make a key the culprit. Tokens that go away at bad moments fail with the same key a few times.
const FAILURES_AT_MOST: u32 = 5;

/// The keys with which the token has failed since it signed with them. Devices report nearly every trouble in the same
/// words, so a key that cannot be used may look like a device that is down, and would take the other keys with it for ever.
#[derive(Default)]
pub(super) struct Suspects(HashMap<KeyAddress, Suspect>);

struct Suspect {
    failures: u32,
    /// Whether the token has signed with another key since.
    others_sign: bool,
}

impl Suspects {
    /// The token has signed with a key.
    pub(super) fn clear(&mut self, key: &KeyAddress) {
        self.0.remove(key);
        self.0.values_mut().for_each(|suspect| suspect.others_sign = true);
    }

    /// The token has failed while it signed with a key. Returns whether the key is to blame after all: the token fails
    /// with this key each time, and signs with others in between.
    pub(super) fn accuse(&mut self, key: &KeyAddress) -> bool {
        let suspect = self.0.entry(key.clone()).or_insert(Suspect { failures: 0, others_sign: true });
        if mem::take(&mut suspect.others_sign) {
            suspect.failures += 1;
        }
        suspect.failures >= FAILURES_AT_MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signer::token::protocol::Bytes;

    fn key(label: &str) -> KeyAddress {
        KeyAddress { location: format!("object={label}").parse().unwrap(), modulus: Bytes(vec![1]) }
    }

    #[test]
    fn a_key_is_blamed_when_it_alone_fails_each_time() {
        let mut suspects = Suspects::default();
        for _ in 1..FAILURES_AT_MOST {
            assert!(!suspects.accuse(&key("bad")));
            suspects.clear(&key("good"));
        }
        assert!(suspects.accuse(&key("bad")));
        suspects.clear(&key("bad"));
        assert!(!suspects.accuse(&key("bad")), "it has signed since");
    }

    #[test]
    fn a_token_that_is_down_for_long_blames_no_key() {
        let mut suspects = Suspects::default();
        for _ in 0..10 * FAILURES_AT_MOST {
            assert!(!suspects.accuse(&key("a")) && !suspects.accuse(&key("b")));
        }
    }
}
