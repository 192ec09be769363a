//! The numbers of a key, and what is asked of their lengths.

use zeroize::Zeroizing;

use crate::Refused;

/// The numbers of a private key by their names in RFC 8017, section 3.2, big-endian. Leading zeros do not matter.
#[derive(Clone, Copy)]
pub struct Components<'a> {
    /// The modulus, of 2048, 3072 or 4096 bits.
    pub n: &'a [u8],
    /// The public exponent, odd and of at most 64 bits.
    pub e: &'a [u8],
    /// The first prime, of half the modulus' length.
    pub p: &'a [u8],
    /// The second prime, of half the modulus' length. It may be larger than the first.
    pub q: &'a [u8],
    /// The first prime's exponent.
    pub dp: &'a [u8],
    /// The second prime's exponent.
    pub dq: &'a [u8],
    /// The inverse of the second prime modulo the first.
    pub qinv: &'a [u8],
}

/// The numbers of a private key in the lengths that the engine takes: secrets have half the modulus' length.
pub(crate) struct Checked {
    n: Vec<u8>,
    secrets: [Zeroizing<Vec<u8>>; 5],
    pub(crate) e: u64,
}

impl Checked {
    pub(crate) fn new(components: &Components<'_>) -> Result<Self, Refused> {
        let Components { n, e, p, q, dp, dq, qinv } = components;
        let n = modulus(n)?;
        let half = n.len() / 2;
        let resized = |number: &&[u8]| resize(number, half).ok_or(Refused::Lengths);
        let secrets = [resized(p)?, resized(q)?, resized(dp)?, resized(dq)?, resized(qinv)?];
        for prime in &secrets[..2] {
            if prime[0] >> 7 == 0 {
                return Err(Refused::Lengths);
            }
            if prime[half - 1] & 1 == 0 {
                return Err(Refused::Even);
            }
        }
        Ok(Self { n: n.to_vec(), secrets, e: exponent(e)? })
    }

    pub(crate) fn components(&self) -> Components<'_> {
        let [p, q, dp, dq, qinv] = self.secrets.each_ref().map(|number| &number[..]);
        Components { n: &self.n, e: &[], p, q, dp, dq, qinv }
    }
}

/// A modulus without leading zeros, if it has one of the sizes.
pub(crate) fn modulus(n: &[u8]) -> Result<&[u8], Refused> {
    let zeros = n.iter().take_while(|byte| **byte == 0).count();
    let n = &n[zeros..];
    if !matches!(n.len(), 256 | 384 | 512) || n[0] >> 7 == 0 {
        return Err(Refused::Size);
    }
    if n[n.len() - 1] & 1 == 0 { Err(Refused::Even) } else { Ok(n) }
}

/// A public exponent.
pub(crate) fn exponent(e: &[u8]) -> Result<u64, Refused> {
    let e = resize(e, 8).ok_or(Refused::Exponent)?;
    let e = e.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    if e < 3 || e % 2 == 0 { Err(Refused::Exponent) } else { Ok(e) }
}

/// The same number in `len` bytes; `None` if it is longer. Only the lengths have an influence on the time, unless it is longer.
fn resize(number: &[u8], len: usize) -> Option<Zeroizing<Vec<u8>>> {
    let (excess, number) = number.split_at(number.len().saturating_sub(len));
    if excess.iter().fold(0, |seen, byte| seen | byte) != 0 {
        return None;
    }
    let mut resized = Zeroizing::new(vec![0; len]);
    resized[len - number.len()..].copy_from_slice(number);
    Some(resized)
}
