//! Secrets that are not keys: random bytes, their comparison in constant time, and how secrets are read.

use std::io::{self, Read};

use aws_lc_rs::{constant_time, rand};
use zeroize::Zeroizing;

/// Random bytes, wiped when dropped.
///
/// # Panics
/// If the random generator fails, because no secret can be made without it.
pub fn random_secret<const LEN: usize>() -> Zeroizing<[u8; LEN]> {
    let mut bytes = Zeroizing::new([0; LEN]);
    rand::fill(bytes.as_mut_slice()).expect("the random generator works");
    bytes
}

/// Reads at most `size` bytes of a secret. The buffer never grows, because that would leave copies of the secret.
///
/// # Errors
/// When the input cannot be read.
pub fn read_secret(input: impl Read, size: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(size));
    input.take(size as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether two secrets, or hashes of secrets, are the same. The time that this takes depends on their lengths alone.
pub fn is_same_secret(one: &[u8], other: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(one, other).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_from_each_other_and_are_the_same_as_themselves() {
        let (one, other) = (random_secret::<32>(), random_secret::<32>());
        assert!(is_same_secret(&*one, &*one) && !is_same_secret(&*one, &*other));
        assert!(!is_same_secret(&*one, &one[..31]) && !is_same_secret(&[], &*one));
    }
}
