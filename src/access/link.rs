//! The link that signs somebody in who sees the terminal: its code works once, for a few minutes.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

use super::token::BASE32;
use crate::{
    domain::{DigestAlgorithm, SecretHash},
    signer::{digest, is_same_secret, random_secret},
};

/// A code of 160 random bits, of which only the hash is kept, and only until the code was used.
pub struct SignInLink {
    /// The hash, and until when the code works.
    unused: Mutex<Option<(SecretHash, Instant)>>,
}

impl SignInLink {
    /// How long the code works.
    pub const LIFE: Duration = Duration::from_secs(5 * 60);

    /// A new link, and its code, which is 32 characters `a` to `z` and `2` to `7`.
    ///
    /// # Panics
    /// If the random generator fails, because no code can be made without it.
    pub fn issue(now: Instant) -> (Self, Zeroizing<String>) {
        let bytes = random_secret::<20>();
        // The buffer never grows, because that would leave copies of the code.
        let mut code = Zeroizing::new(String::with_capacity(32));
        BASE32.encode_append(bytes.as_slice(), &mut code);
        let unused = Mutex::new(Some((hash(&code), now + Self::LIFE)));
        (Self { unused }, code)
    }

    /// Uses the code up. Returns whether it was the right one, in time, and for the first time. Hashes are compared in
    /// constant time. A wrong code uses nothing up, or else anybody could take the link away.
    pub fn redeem(&self, code: &str, now: Instant) -> bool {
        let mut unused = self.unused.lock().unwrap_or_else(PoisonError::into_inner);
        let is_right = unused
            .as_ref()
            .is_some_and(|(expected, until)| is_same_secret(&expected.0, &hash(code).0) && now < *until);
        if is_right {
            *unused = None;
        }
        is_right
    }
}

impl fmt::Debug for SignInLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignInLink(..)")
    }
}

fn hash(code: &str) -> SecretHash {
    let digest = digest(DigestAlgorithm::Sha256, code.as_bytes());
    SecretHash(digest.as_bytes().try_into().expect("SHA-256 has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_works_once_and_a_wrong_one_does_not_use_it_up() {
        let now = Instant::now();
        let (link, code) = SignInLink::issue(now);
        assert_eq!(code.len(), 32);
        let (_, other) = SignInLink::issue(now);
        for wrong in ["", "a", &code[..31], &code.to_uppercase(), &other, &format!("{} ", *code)] {
            assert!(!link.redeem(wrong, now), "{wrong}");
        }
        assert!(link.redeem(&code, now));
        assert!(!link.redeem(&code, now));
    }

    #[test]
    fn a_code_works_until_its_time_is_over() {
        let (now, almost) = (Instant::now(), SignInLink::LIFE - Duration::from_millis(1));
        assert!(SignInLink::LIFE <= Duration::from_secs(300));
        let (link, code) = SignInLink::issue(now);
        assert!(!link.redeem(&code, now + SignInLink::LIFE));
        assert!(link.redeem(&code, now + almost));
    }

    #[test]
    fn of_many_who_use_a_code_at_once_one_succeeds() {
        let now = Instant::now();
        let (link, code) = SignInLink::issue(now);
        let redeemed = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| link.redeem(&code, now))).collect();
            all.into_iter().map(|one| one.join().unwrap()).filter(|redeemed| *redeemed).count()
        });
        assert_eq!(redeemed, 1);
    }

    #[test]
    fn the_code_is_not_shown() {
        let (link, code) = SignInLink::issue(Instant::now());
        assert!(!format!("{link:?}").contains(&code[..8]));
    }
}
