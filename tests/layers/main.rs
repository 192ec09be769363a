//! What must hold of the files of the project themselves: layers, circles, lengths, and what its pages name.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod circles;
mod guarantees;
mod layers;
mod lengths;
mod source;
mod test_code;
