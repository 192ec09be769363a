//! The kernels against a library of big numbers, and what happens when the machine computes wrongly.

mod faults;
mod kernels;
mod numbers;
#[path = "../../../tests/common/random.rs"]
mod random;
