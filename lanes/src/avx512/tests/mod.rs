//! The kernels against a library of big numbers, and what happens when the machine computes wrongly.

mod bounds;
mod faults;
mod fuzzing;
mod kernels;
mod numbers;
#[path = "../../../tests/common/random.rs"]
mod random;
mod timing;
