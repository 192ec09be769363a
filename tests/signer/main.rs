//! Keys and signatures: what is read, refused, sealed, made and verified, against openssl and what others got wrong.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_keys;
mod bounds;
mod certificate_chains;
mod certificates;
mod forms;
mod import;
mod lanes;
mod master_keys;
mod public_keys;
mod sealing;
mod signatures;
mod wycheproof;
