//! A bit that flips in a key or in a computation gives no wrong signature.

use std::iter::repeat_n;

use super::random::{Random, count};
use crate::{
    Components, SignError,
    engine::{
        Cpu,
        fault::{self, Place},
        private::PrivateNumbers,
        vector::{DIGIT, LANES, RADIX},
    },
    self_test::KNOWN_ANSWERS,
};

type Numbers = PrivateNumbers<20, 40, 4, 5>;

/// Bytes of the modulus.
const LEN: usize = 256;

/// A key of 2048 bits, eight numbers, and what the key makes of them.
struct Subject {
    cpu: Cpu,
    numbers: Numbers,
    input: Vec<u8>,
    right: Vec<u8>,
}

impl Subject {
    fn new(random: &mut Random) -> Self {
        let cpu = Cpu::detect().expect("these tests need a processor with AVX-512 IFMA");
        let numbers = open(cpu);
        let mut input = vec![0; LANES * LEN];
        random.fill(&mut input);
        input.chunks_mut(LEN).for_each(|number| number[0] = 0);
        let mut right = vec![0; LANES * LEN];
        numbers.exponentiate(cpu, &input, &mut right).unwrap();
        Self { cpu, numbers, input, right }
    }

    /// Signs while something is wrong. Returns whether that was noticed; a wrong result must not come out.
    fn notices(&self, numbers: &Numbers, what: &str) -> bool {
        let mut output = vec![0; LANES * LEN];
        match numbers.exponentiate(self.cpu, &self.input, &mut output) {
            Ok(()) => {
                assert!(output == self.right, "a wrong signature came out: {what}");
                false
            }
            Err(error) => {
                assert_eq!(error, SignError::Fault);
                assert!(output.iter().all(|byte| *byte == 0), "something came out: {what}");
                true
            }
        }
    }
}

fn open(cpu: Cpu) -> Numbers {
    Numbers::new(cpu, &KNOWN_ANSWERS[0].components(), 65537).unwrap()
}

#[test]
fn a_bit_that_flips_in_an_opened_key_gives_no_signature() {
    let mut random = Random::new();
    let subject = Subject::new(&mut random);
    let rounds = count("TEST_FAULTS", 20);
    for part in (0..7).flat_map(|part| repeat_n(part, rounds)) {
        let mut numbers = open(subject.cpu);
        // 1024 bits in digits of 52, and in words of 64.
        let bit = random.below(1024);
        let (digit, in_digit) = (bit / RADIX as usize, 1 << (bit % RADIX as usize));
        let (word, in_word) = (bit / 64, 1 << (bit % 64));
        match part {
            0 => numbers.p.digits[digit] ^= in_digit,
            1 => numbers.q.digits[digit] ^= in_digit,
            2 => numbers.dp.0[word] ^= in_word,
            3 => numbers.dq.0[word] ^= in_word,
            4 => numbers.qinv[digit] ^= in_digit,
            5 => numbers.p.r3[digit] ^= in_digit,
            _ => numbers.q.factor ^= in_digit & DIGIT,
        }
        assert!(subject.notices(&numbers, "in the key"), "bit {bit} of part {part}");
    }
}

#[test]
fn a_bit_that_flips_during_the_computation_gives_no_wrong_signature() {
    let mut random = Random::new();
    let subject = Subject::new(&mut random);
    let rounds = count("TEST_FAULTS", 100);
    for (place, visits) in
        [(Place::Columns, 2500), (Place::Table, 2), (Place::Factor, 408), (Place::Result, 1)]
    {
        let mut noticed = 0;
        for _ in 0..rounds {
            let (visit, bit) = (random.below(visits), random.bits() as usize);
            fault::plan(place, visit, bit);
            noticed += usize::from(subject.notices(&subject.numbers, &format!("{place:?} {visit} {bit}")));
            assert!(!fault::is_pending(), "the {place:?} were passed fewer than {visit} times");
        }
        // An entry of the table may happen not to be used, and columns of the check may not matter.
        assert!(noticed * 10 >= rounds * 9, "only {noticed} of {rounds} faults in {place:?} were noticed");
    }
}

#[test]
fn a_key_with_a_wrong_number_gives_no_signature() {
    let mut random = Random::new();
    let subject = Subject::new(&mut random);
    let Components { n, e, p, q, dp, dq, qinv } = KNOWN_ANSWERS[0].components();
    let rounds = count("TEST_FAULTS", 20);
    for part in (0..5).flat_map(|part| repeat_n(part, rounds)) {
        let mut secrets = [p, q, dp, dq, qinv].map(<[u8]>::to_vec);
        secrets[part][random.below(LEN / 2)] ^= 1 << random.below(8);
        let [p, q, dp, dq, qinv] = secrets.each_ref().map(|number| &number[..]);
        // A wrong prime is noticed here, because the modulus is not the product.
        let opened = Numbers::new(subject.cpu, &Components { n, e, p, q, dp, dq, qinv }, 65537);
        let is_noticed = opened.map_or(part < 2, |numbers| subject.notices(&numbers, "in the file"));
        assert!(is_noticed, "part {part}");
    }
}
