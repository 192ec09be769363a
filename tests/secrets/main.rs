//! Nothing secret gets out: known secrets are given to the real binary in every way that there is, and
//! looked for, in every way in which they might have been written, wherever it writes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod core_files;
mod debug;
mod memory;
mod modes;
mod passwords;
mod search;
mod server;
mod sources;
mod tokens;
mod watched;
