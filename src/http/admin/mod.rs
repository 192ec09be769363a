//! Administration: the tokens of the API, and the log of changes.

pub mod audit;
mod body;
pub mod change;
pub mod tokens;
