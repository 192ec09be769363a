//! What is wrong with keys that parse.

/// Why a key must not be used although it parses (FIPS 186-5, appendix A.1; RFC 8017, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFlaw {
    /// Outside 2048 to 8192 bits.
    #[error("it has {bits} bits, and must have 2048 to 8192")]
    Size {
        /// Length of the modulus.
        bits: u32,
    },
    /// The modulus is even.
    #[error("its modulus is even")]
    EvenModulus,
    /// The public exponent is even.
    #[error("its public exponent is even")]
    EvenExponent,
    /// The public exponent is below 65537.
    #[error("its public exponent is {exponent}, and must be at least 65537")]
    SmallExponent {
        /// The exponent.
        exponent: u64,
    },
    /// The public exponent has more than 33 bits.
    #[error("its public exponent has {bits} bits, and must have at most 33")]
    LargeExponent {
        /// Length of the exponent.
        bits: u32,
    },
    /// More than two primes.
    #[error("it has more than two primes")]
    MultiPrime,
    /// n ≠ p·q.
    #[error("its modulus is not the product of its primes")]
    Modulus,
    /// p or q is composite.
    #[error("one of its factors is not prime")]
    NotPrime,
    /// p = q.
    #[error("its two primes are the same")]
    EqualPrimes,
    /// |p − q| ≤ 2^(nlen/2 − 100).
    #[error("its two primes are so close that it can be factored")]
    ClosePrimes,
    /// A prime is much shorter than half the modulus.
    #[error("one of its primes is shorter than half the modulus")]
    UnbalancedPrimes,
    /// p or q comes from the generator of CVE-2017-15361.
    #[error("it was made by a flawed generator (ROCA, CVE-2017-15361) and can be factored")]
    Roca,
    /// d·e mod lcm(p−1, q−1) ≠ 1, or d is not below n.
    #[error("its private exponent does not belong to its public exponent")]
    PrivateExponent,
    /// d ≤ 2^(nlen/2).
    #[error("its private exponent is so small that it can be computed from the public key")]
    SmallPrivateExponent,
    /// dP, dQ or qInv is wrong.
    #[error("its CRT parameters do not belong to its primes")]
    CrtParameters,
    /// RSASSA-PSS parameters that match no supported scheme (RFC 4055, section 3.1).
    #[error("it is restricted to RSASSA-PSS with parameters that match none of PS256, PS384 and PS512")]
    PssParameters,
    /// A test signature of aws-lc or rsa did not verify with one of them.
    #[error("a test signature made with it does not verify")]
    Trial,
}
