//! Sign Wave signs every record of a database exactly once, in batches, with a pool of RSA keys.
//!
//! The layers, from the ground up; each imports only from those before it (`tests/layers` holds that):
//!
//! 1. [`domain`]: the rules, as pure code.
//! 2. [`store`] (databases) and [`signer`] (cryptography): the world outside. Neither knows the other.
//! 3. [`config`] and [`actors`]: the motion, that is, what runs when; [`audit`]: the proof of what ran.
//! 4. [`cli`]: the edge that a person touches.
#![forbid(unsafe_code)]

pub mod actors;
pub mod audit;
pub mod cli;
pub mod config;
pub mod domain;
pub mod signer;
pub mod store;
