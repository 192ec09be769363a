//! What the test programs share.

pub mod keys;
pub mod random;
