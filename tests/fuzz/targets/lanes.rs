//! The eight-lane engine: its kernels on operands made of bytes, and whole keys on such numbers. Nothing runs on a processor
//! without AVX-512 IFMA.

use signwave_lanes::fuzzing;

/// Products and reductions, against arithmetic by hand.
pub fn lanes_kernels(bytes: &[u8]) {
    fuzzing::kernels(bytes);
}

/// Eight numbers raised with a known key of each size, and with the same key after a bit has flipped.
pub fn lanes_keys(bytes: &[u8]) {
    fuzzing::keys(bytes);
}
