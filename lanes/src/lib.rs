//! Eight RSA signatures of one key at once, in the lanes of AVX-512 IFMA.
//!
//! A processor's vector holds eight 64-bit lanes, and each lane computes for another message. All lanes share the key: the modulus,
//! the exponents and every constant. A group of eight therefore takes about as long as two or three signatures of a library
//! that signs one message at a time.
//!
//! - [`PrivateKey`] signs eight digests (RSASSA-PKCS1-v1_5 and RSASSA-PSS of RFC 8017). Every result is checked with the public
//!   exponent before any result leaves, because a wrong one can reveal the key.
//! - [`PublicKey`] verifies eight signatures.
//! - [`is_supported`] says whether this processor can do it; [`self_test()`] computes known answers.
//!
//! Keys have 2048, 3072 or 4096 bits and two primes of equal length. Callers sign other keys, and groups of fewer than eight,
//! with another library.
//!
//! # What is constant-time
//! No branch and no address depends on a secret. Loops have constant bounds, tables are read as a whole, and selections are made
//! with masks. Lengths are those of the key's size. The instructions that touch secrets are multiplications (`vpmadd52`),
//! additions, shifts, logic and comparisons with zero, whose time does not depend on the operands on the processors that
//! were examined. Tests look at the generated code, and measure whole signatures. Nothing is proven formally.
//!
//! # Unsafe code
//! This package is the only one of the workspace that may use `unsafe`: to enter functions that need AVX-512 after the
//! processor was asked, for loads and stores of vectors, for a few instructions in assembly, and for wiping.

mod components;
mod emsa;
mod error;
#[cfg(all(target_arch = "x86_64", any(feature = "fuzzing", test)))]
pub mod fuzzing;
mod private_key;
mod public_key;
mod scheme;
mod self_test;

#[cfg(not(target_arch = "x86_64"))]
#[path = "absent.rs"]
mod engine;
#[cfg(target_arch = "x86_64")]
#[path = "avx512/mod.rs"]
mod engine;

pub use components::Components;
pub use error::{RandomFailed, Refused, SelfTestFailed, SignError};
pub use private_key::PrivateKey;
pub use public_key::PublicKey;
pub use scheme::{Hash, Padding, Scheme};
pub use self_test::self_test;

/// How many messages are signed, or signatures verified, at once.
pub const LANES: usize = 8;

/// Whether this processor has what the engine needs: AVX-512 F, VL, BW, DQ and IFMA.
pub fn is_supported() -> bool {
    engine::Cpu::detect().is_some()
}
