//! The public operation on eight numbers at once.

use super::{
    Cpu,
    convert::{digits, lane, modulus_len, set_lane, write},
    modulus::{Modulus, Number},
    vector::{LANES, V, differences, nonzero, zero},
    wipe::{Zeroed, zeroed},
    work::Work,
};

/// A modulus of `N` digits and a public exponent.
pub(super) struct PublicNumbers<const N: usize> {
    pub(super) n: Modulus<N>,
    /// Odd, and at least 3.
    e: u64,
}

impl<const N: usize> PublicNumbers<N> {
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn new(n: &[u8], e: u64, work: &mut Work) -> Self {
        Self { n: Modulus::new(&digits(n), 8 * n.len(), work), e }
    }

    /// power = base^e mod n, canonical. `base` must be below n; `factor` is overwritten.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn raise(&self, base: &Number<N>, power: &mut Number<N>, factor: &mut Number<N>, work: &mut Work) {
        *factor = *base;
        self.n.multiply_shared(factor, &self.n.r2, work);
        *power = *factor;
        for bit in (0..self.e.ilog2()).rev() {
            self.n.square(power, work);
            if self.e >> bit & 1 == 1 {
                // The exponent is odd, so there is a last factor. It is not in Montgomery form, which leads out of that form.
                self.n.multiply(power, if bit == 0 { base } else { factor }, work);
            }
        }
        self.n.subtract_if_reached(power);
    }

    /// Whether base^e mod n is `expected` in all lanes. The time does not depend on the numbers.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn raises_to(
        &self,
        base: &Number<N>,
        expected: &Number<N>,
        space: &mut PublicSpace<N>,
    ) -> bool {
        let PublicSpace { power, factor, work } = space;
        self.raise(base, power, factor, work);
        let difference = power.iter().zip(expected).fold(zero(), |seen: V, (a, b)| {
            // The closure inherits the features of the function.
            differences(seen, a.load(), b.load())
        });
        nonzero(difference) == 0
    }

    /// Raises eight big-endian numbers, one after the other in `input`, to the public exponent. Returns the lanes
    /// in which the number was below the modulus; the output of other lanes means nothing.
    pub(super) fn exponentiate(&self, _cpu: Cpu, input: &[u8], output: &mut [u8]) -> [bool; LANES] {
        let mut space = zeroed::<VerificationSpace<N>>();
        // SAFETY: `Cpu` says that the features are present.
        unsafe { self.exponentiate_in(&mut space, input, output) }
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn exponentiate_in(
        &self,
        VerificationSpace { base, public }: &mut VerificationSpace<N>,
        input: &[u8],
        output: &mut [u8],
    ) -> [bool; LANES] {
        let len = modulus_len(N);
        for (lane, number) in input.chunks_exact(len).enumerate() {
            set_lane(base, lane, number);
        }
        let below = nonzero(self.n.is_above(base));
        let PublicSpace { power, factor, work } = public;
        self.raise(base, power, factor, work);
        for (index, number) in output.chunks_exact_mut(len).enumerate() {
            write(lane(power, index), number);
        }
        std::array::from_fn(|lane| below >> lane & 1 == 1)
    }
}

/// The memory of one exponentiation.
#[repr(C)]
pub(super) struct PublicSpace<const N: usize> {
    pub(super) work: Work,
    pub(super) power: Number<N>,
    pub(super) factor: Number<N>,
}

// SAFETY: it consists of numbers, and is not empty.
unsafe impl<const N: usize> Zeroed for PublicSpace<N> {}

/// The memory of a verification.
#[repr(C)]
struct VerificationSpace<const N: usize> {
    public: PublicSpace<N>,
    base: Number<N>,
}

// SAFETY: as above.
unsafe impl<const N: usize> Zeroed for VerificationSpace<N> {}
