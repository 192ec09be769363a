//! The engine for processors with AVX-512 IFMA.

#![expect(
    clippy::identity_op,
    clippy::erasing_op,
    reason = "unrolled code has expressions such as t[20 + 0]"
)]

mod block;
mod bounds;
mod convert;
#[cfg(test)]
mod fault;
mod forty;
#[cfg(any(feature = "fuzzing", test))]
pub(crate) mod fuzzing;
#[cfg(test)]
mod leak;
mod modulus;
mod power;
mod private;
mod public;
mod reduce;
mod scan;
#[cfg(test)]
mod tests;
mod thirty;
mod twenty;
mod vector;
mod wide;
mod wipe;
mod work;

use crate::{Components, Refused, SignError};
use private::PrivateNumbers;
use public::{PublicNumbers, PublicSpace};

pub(crate) use vector::LANES;
use wipe::wipe_stack;

/// Evidence that this processor has what the engine needs.
#[derive(Clone, Copy)]
pub(crate) struct Cpu(());

impl Cpu {
    /// `None` on a processor without AVX-512 F, VL, BW, DQ and IFMA.
    pub(crate) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512ifma");
        found.then_some(Self(()))
    }
}

/// A private key of one of the three sizes.
pub(crate) struct Private {
    cpu: Cpu,
    numbers: PrivateSize,
}

enum PrivateSize {
    Rsa2048(Box<PrivateNumbers<20, 40, 4, 5>>),
    Rsa3072(Box<PrivateNumbers<30, 60, 6, 5>>),
    Rsa4096(Box<PrivateNumbers<40, 80, 4, 10>>),
}

impl Private {
    /// Takes components of which the lengths have been checked.
    pub(crate) fn new(cpu: Cpu, components: &Components<'_>, e: u64) -> Result<Self, Refused> {
        let numbers = PrivateSize::new(cpu, components, e);
        // 128 KiB: numbers are moved several times until they are in their place.
        wipe_stack::<2048>(cpu);
        Ok(Self { cpu, numbers: numbers? })
    }

    /// Raises eight numbers to the private exponent.
    pub(crate) fn exponentiate(&self, input: &[u8], output: &mut [u8]) -> Result<(), SignError> {
        let result = self.numbers.exponentiate(self.cpu, input, output);
        // 32 KiB: everything large is in the work space.
        wipe_stack::<512>(self.cpu);
        result
    }
}

// The functions below are not inlined, so that the stack that they use is below that of the functions above, which wipe it.
impl PrivateSize {
    #[inline(never)]
    fn new(cpu: Cpu, components: &Components<'_>, e: u64) -> Result<Self, Refused> {
        Ok(match components.n.len() {
            256 => Self::Rsa2048(Box::new(PrivateNumbers::new(cpu, components, e)?)),
            384 => Self::Rsa3072(Box::new(PrivateNumbers::new(cpu, components, e)?)),
            512 => Self::Rsa4096(Box::new(PrivateNumbers::new(cpu, components, e)?)),
            _ => return Err(Refused::Size),
        })
    }

    #[inline(never)]
    fn exponentiate(&self, cpu: Cpu, input: &[u8], output: &mut [u8]) -> Result<(), SignError> {
        match self {
            Self::Rsa2048(numbers) => numbers.exponentiate(cpu, input, output),
            Self::Rsa3072(numbers) => numbers.exponentiate(cpu, input, output),
            Self::Rsa4096(numbers) => numbers.exponentiate(cpu, input, output),
        }
    }
}

/// A public key of one of the three sizes.
pub(crate) struct Public {
    cpu: Cpu,
    numbers: PublicSize,
}

enum PublicSize {
    Rsa2048(Box<PublicNumbers<40>>),
    Rsa3072(Box<PublicNumbers<60>>),
    Rsa4096(Box<PublicNumbers<80>>),
}

impl Public {
    /// Takes a modulus and an exponent that have been checked.
    pub(crate) fn new(cpu: Cpu, n: &[u8], e: u64) -> Result<Self, Refused> {
        let numbers = match n.len() {
            256 => PublicSize::Rsa2048(open(cpu, n, e)),
            384 => PublicSize::Rsa3072(open(cpu, n, e)),
            512 => PublicSize::Rsa4096(open(cpu, n, e)),
            _ => return Err(Refused::Size),
        };
        Ok(Self { cpu, numbers })
    }

    /// Returns the lanes in which the number was below the modulus.
    pub(crate) fn exponentiate(&self, input: &[u8], output: &mut [u8]) -> [bool; LANES] {
        match &self.numbers {
            PublicSize::Rsa2048(numbers) => numbers.exponentiate(self.cpu, input, output),
            PublicSize::Rsa3072(numbers) => numbers.exponentiate(self.cpu, input, output),
            PublicSize::Rsa4096(numbers) => numbers.exponentiate(self.cpu, input, output),
        }
    }
}

fn open<const N: usize>(_cpu: Cpu, n: &[u8], e: u64) -> Box<PublicNumbers<N>> {
    let mut space = wipe::zeroed::<PublicSpace<N>>();
    // SAFETY: `Cpu` says that the features are present.
    unsafe { Box::new(PublicNumbers::new(n, e, &mut space.work)) }
}
