//! The private operation on eight numbers at once: an exponentiation for each prime, the recombination (RFC 8017, section 5.1.2),
//! and the check of every result with the public exponent.

use zeroize::{Zeroize, Zeroizing};

#[cfg(test)]
use super::fault::{self, Place};
use super::{
    Cpu,
    convert::{digits, lane, modulus_len, set_lane, write},
    modulus::{Modulus, Number, multiply_shared, spread},
    power::{Chain, Exponent, Table, powers},
    public::{PublicNumbers, PublicSpace},
    reduce::reduce,
    vector::{Lanes, add, all, carry, differences, digit, nonzero, sub, zero},
    wipe::{Zeroed, wipe, zeroed},
};
use crate::{Components, Refused, SignError};

/// The numbers of a key: `N` digits for a prime and `NN` = 2·`N` for the modulus. Tables have `P` parts of `D` digits.
pub(super) struct PrivateNumbers<const N: usize, const NN: usize, const D: usize, const P: usize> {
    public: PublicNumbers<NN>,
    pub(super) p: Modulus<N>,
    pub(super) q: Modulus<N>,
    pub(super) dp: Exponent,
    pub(super) dq: Exponent,
    /// qInv in Montgomery form modulo p.
    pub(super) qinv: [u64; N],
}

impl<const N: usize, const NN: usize, const D: usize, const P: usize> PrivateNumbers<N, NN, D, P> {
    /// Takes the components of a key, of which the lengths have been checked.
    pub(super) fn new(_cpu: Cpu, components: &Components<'_>, e: u64) -> Result<Self, Refused> {
        const { assert!(NN == 2 * N && D * P == N) };
        let mut space = zeroed::<PublicSpace<NN>>();
        // SAFETY: `Cpu` says that the features are present.
        unsafe { Self::new_in(&mut space, components, e) }
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn new_in(space: &mut PublicSpace<NN>, components: &Components<'_>, e: u64) -> Result<Self, Refused> {
        let Components { n, p, q, dp, dq, qinv, .. } = components;
        let work = &mut space.work;
        let prime_bits = 8 * p.len();
        let number = |bytes: &[u8]| Zeroizing::new(digits::<N>(bytes));
        let (p, q, qinv) = (number(p), number(q), number(qinv));
        let mut numbers = Self {
            public: PublicNumbers::new(n, e, work),
            p: Modulus::new(&p, prime_bits, work),
            q: Modulus::new(&q, prime_bits, work),
            dp: Exponent::new(dp),
            dq: Exponent::new(dq),
            qinv: [0; N],
        };
        let mut product = spread(&p);
        multiply_shared(&product, &q, work);
        let (mut handed, mut difference) = (zero(), zero());
        for (column, n) in work.t.iter().zip(&numbers.public.n.digits) {
            let column = add(column.load(), handed);
            difference = differences(difference, digit(column), all(*n));
            handed = carry(column);
        }
        product = spread(&qinv);
        numbers.p.multiply_shared(&mut product, &numbers.p.r2, work);
        numbers.qinv = product.map(|digit| digit.0[0]);
        wipe(&mut product);
        if nonzero(difference) == 0 { Ok(numbers) } else { Err(Refused::Inconsistent) }
    }

    /// Raises eight big-endian numbers, one after the other in `input`, to the private exponent.
    pub(super) fn exponentiate(&self, _cpu: Cpu, input: &[u8], output: &mut [u8]) -> Result<(), SignError> {
        let mut space = zeroed::<Space<N, NN, D, P>>();
        // SAFETY: `Cpu` says that the features are present.
        unsafe { self.exponentiate_in(&mut space, input, output) }
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn exponentiate_in(
        &self,
        space: &mut Space<N, NN, D, P>,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(), SignError> {
        let len = modulus_len(NN);
        for (lane, number) in input.chunks_exact(len).enumerate() {
            set_lane(&mut space.input, lane, number);
        }
        if nonzero(self.public.n.is_above(&space.input)) != u8::MAX {
            return Err(SignError::OutOfRange);
        }
        self.halves(space);
        self.recombine(space);
        // A wrong result of one half reveals a prime, so nothing leaves unless all results are right.
        if !self.public.raises_to(&space.result, &space.input, &mut space.public) {
            return Err(SignError::Fault);
        }
        for (index, number) in output.chunks_exact_mut(len).enumerate() {
            write(lane(&space.result, index), number);
        }
        Ok(())
    }

    /// m1 = input^dP mod p, and m2 = input^dQ mod q.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn halves(&self, Space { public, input, m1, m2, tables, found, .. }: &mut Space<N, NN, D, P>) {
        let work = &mut public.work;
        for (modulus, number) in [(&self.p, &mut *m1), (&self.q, &mut *m2)] {
            work.t[..NN].copy_from_slice(input);
            reduce(modulus, work, number);
            modulus.multiply_shared(number, &modulus.r3, work);
        }
        let ([table1, table2], [found1, found2]) = (tables, found);
        let mut chains = [
            Chain { modulus: &self.p, exponent: &self.dp, number: m1, table: table1, found: found1 },
            Chain { modulus: &self.q, exponent: &self.dq, number: m2, table: table2, found: found2 },
        ];
        powers(&mut chains, work);
        self.p.leave(m1, work);
        self.q.leave(m2, work);
    }

    /// result = m2 + q·h with h = (m1 - m2)·qInv mod p.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn recombine(&self, Space { public, m1, m2, result, .. }: &mut Space<N, NN, D, P>) {
        let work = &mut public.work;
        // 2p is added, because m2 < q < 2p. The sum is below 3p, which a product modulo p takes: see `avx512`.
        let mut handed = zero();
        for ((m1, m2), p) in m1.iter_mut().zip(&*m2).zip(&self.p.digits) {
            let column = add(add(sub(m1.load(), m2.load()), all(2 * p)), handed);
            m1.store(digit(column));
            handed = carry(column);
        }
        let h = m1;
        self.p.multiply_shared(h, &self.qinv, work);
        self.p.subtract_if_reached(h);
        multiply_shared(h, &self.q.digits, work);
        for (column, m2) in work.t.iter_mut().zip(m2) {
            column.store(add(column.load(), m2.load()));
        }
        handed = zero();
        for (result, column) in result.iter_mut().zip(&work.t) {
            let column = add(column.load(), handed);
            result.store(digit(column));
            handed = carry(column);
        }
        #[cfg(test)]
        fault::pass(Place::Result, result);
    }
}

impl<const N: usize, const NN: usize, const D: usize, const P: usize> Drop for PrivateNumbers<N, NN, D, P> {
    fn drop(&mut self) {
        self.qinv.zeroize();
    }
}

/// The memory of one operation. It is wiped when dropped.
#[repr(C)]
struct Space<const N: usize, const NN: usize, const D: usize, const P: usize> {
    public: PublicSpace<NN>,
    input: Number<NN>,
    result: Number<NN>,
    m1: Number<N>,
    m2: Number<N>,
    found: [[[Lanes; D]; P]; 2],
    tables: [Table<D, P>; 2],
}

// SAFETY: it consists of numbers, and is not empty.
unsafe impl<const N: usize, const NN: usize, const D: usize, const P: usize> Zeroed for Space<N, NN, D, P> {}

impl<const N: usize, const NN: usize, const D: usize, const P: usize> Drop for Space<N, NN, D, P> {
    fn drop(&mut self) {
        // The work space and the tables wipe themselves. A wrong result reveals a prime, and so does what is computed from it
        // for the check. The input is not secret; it is wiped so that nothing is an exception.
        let Self { public: PublicSpace { power, factor, .. }, input, result, m1, m2, found, .. } = self;
        for number in
            [&mut power[..], factor, input, result, m1, m2, found.as_flattened_mut().as_flattened_mut()]
        {
            wipe(number);
        }
    }
}
