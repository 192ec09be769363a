//! The check of results with the public exponent looks at every digit of every lane.

use super::{numbers::number, random::Random};
use crate::{
    engine::{
        Cpu,
        convert::digits,
        modulus::Number,
        public::{PublicNumbers, PublicSpace},
        vector::{LANES, RADIX},
        wipe::zeroed,
    },
    self_test::KNOWN_ANSWERS,
};

fn finds_every_difference<const N: usize>(known: usize, random: &mut Random) {
    let cpu = Cpu::detect().expect("this test needs a processor with AVX-512 IFMA");
    let n = KNOWN_ANSWERS[known].components().n;
    let mut space = zeroed::<PublicSpace<N>>();
    // SAFETY: `Cpu` says that the features are present.
    let key = unsafe { PublicNumbers::<N>::new(n, 65537, &mut space.work) };
    let mut bases = vec![0; LANES * n.len()];
    random.fill(&mut bases);
    bases.chunks_mut(n.len()).for_each(|base| base[0] = 0);
    let mut powers = vec![0; bases.len()];
    assert_eq!(key.exponentiate(cpu, &bases, &mut powers), [true; LANES]);
    let lanes = |bytes: &[u8]| -> Number<N> { number(|lane| digits(&bytes[lane * n.len()..][..n.len()])) };
    let (base, power) = (lanes(&bases), lanes(&powers));
    let mut holds = |expected: &Number<N>| {
        // SAFETY: as above.
        unsafe { key.raises_to(&base, expected, &mut space) }
    };
    assert!(holds(&power));
    for (digit, lane) in (0..N).flat_map(|digit| (0..LANES).map(move |lane| (digit, lane))) {
        let mut wrong = power;
        wrong[digit].0[lane] ^= 1 << random.below(RADIX as usize);
        assert!(!holds(&wrong), "digit {digit} of lane {lane}, {N} digits");
    }
}

#[test]
fn a_wrong_bit_in_any_digit_of_any_lane_is_found() {
    let mut random = Random::new();
    finds_every_difference::<40>(0, &mut random);
    finds_every_difference::<60>(1, &mut random);
    finds_every_difference::<80>(2, &mut random);
}
