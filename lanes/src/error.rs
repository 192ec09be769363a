//! What can go wrong.

use thiserror::Error;

/// Why a key cannot be used here. Another library may take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refused {
    /// The processor lacks AVX-512 IFMA, or is of another architecture.
    #[error("this processor lacks AVX-512 IFMA")]
    Processor,
    /// The modulus has not 2048, 3072 or 4096 bits.
    #[error("the modulus does not have 2048, 3072 or 4096 bits")]
    Size,
    /// The modulus or a prime is even.
    #[error("the modulus or a prime is even")]
    Even,
    /// The public exponent is even, below 3, or longer than 64 bits.
    #[error("the public exponent is even, below 3, or longer than 64 bits")]
    Exponent,
    /// A prime, or another secret number, does not have half the modulus' length.
    #[error("the primes do not have half the modulus' length")]
    Lengths,
    /// The modulus is not the product of the primes.
    #[error("the modulus is not the product of the primes")]
    Inconsistent,
}

/// Why eight signatures were not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignError {
    /// A result did not pass the check with the public exponent: the key is inconsistent, or the machine computed wrongly.
    /// Nothing of the group has left.
    #[error("a result is wrong: the key is inconsistent, or the machine computed wrongly")]
    Fault,
    /// A digest does not have the length of the scheme's hash function.
    #[error("a digest does not have the length of the scheme's hash function")]
    DigestLength,
    /// A buffer does not have eight times the modulus' length.
    #[error("a buffer does not have eight times the modulus' length")]
    BufferLength,
    /// A number to be raised to the private exponent is not below the modulus.
    #[error("a number is not below the modulus")]
    OutOfRange,
    /// The caller's source of random bytes failed.
    #[error(transparent)]
    Random(#[from] RandomFailed),
}

/// The caller's source of random bytes failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("there are no random bytes")]
pub struct RandomFailed;

/// A known answer was not computed. The engine must not be used on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the eight-lane engine computed a wrong answer for a known RSA-{bits} key")]
pub struct SelfTestFailed {
    /// The size of the key.
    pub bits: usize,
}
