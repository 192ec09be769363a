//! The keys: their states, new ones, and the public halves for those who verify. No private half passes through.

pub mod change;
pub mod generate;
pub mod list;
pub mod public;
pub mod set;
mod shape;
