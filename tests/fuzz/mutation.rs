//! Small changes to known inputs, such as a fuzzer makes, by seeded random numbers.

use support::random::Random;

const LONGEST: usize = 4096;

/// Pieces that parsers look for, and numbers at the edges of their types.
const PIECES: [&[u8]; 24] = [
    b"\0",
    b"\n",
    b"\r\n",
    b"\"",
    b"\xFF",
    b"\x80",
    b"-",
    b",",
    b"=",
    b"://",
    b"@",
    b"%",
    b"0",
    b"9223372036854775807",
    b"18446744073709551616",
    b"-1",
    b"\x30\x84\xFF\xFF\xFF\xFF",
    b"\x02\x01\x00",
    b"\x04\x00",
    b"-----BEGIN ",
    b"[[[[[[[[",
    b"{\"payload\":",
    b"\\u0000",
    b"\xF0\x9F\x8C\x8A",
];

/// One of `inputs`, changed in one to four places.
pub fn mutate(inputs: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = pick(inputs, random).clone();
    for _ in 0..=random.below(4) {
        change(&mut input, inputs, random);
        input.truncate(LONGEST);
    }
    input
}

fn change(input: &mut Vec<u8>, inputs: &[Vec<u8>], random: &mut Random) {
    let (at, other) = (place(input.len(), random), place(input.len(), random));
    let (start, end) = (at.min(other), at.max(other));
    match random.below(8) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        1 if at < input.len() => input[at] = random.below(256) as u8,
        2 => insert(input, at, PIECES[random.below(PIECES.len() as u64) as usize]),
        3 => insert(input, at, &[random.below(256) as u8]),
        4 => {
            let end = end.min(start + 1 + random.below(16) as usize).min(input.len());
            input.drain(start..end);
        }
        5 => input.truncate(at),
        6 => insert(input, at, &input[start..end.min(start + 64)].repeat(1 + random.below(8) as usize)),
        _ => {
            let from = pick(inputs, random);
            let (at, start) = (place(input.len(), random), place(from.len(), random));
            input.truncate(at);
            input.extend(&from[start..]);
        }
    }
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    input.splice(at..at, piece.iter().copied());
}

fn pick<'a>(inputs: &'a [Vec<u8>], random: &mut Random) -> &'a Vec<u8> {
    &inputs[random.below(inputs.len() as u64) as usize]
}

/// From 0 to `length`, its end included.
fn place(length: usize, random: &mut Random) -> usize {
    random.below(length as u64 + 1) as usize
}
