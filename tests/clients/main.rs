//! Programs of others against the HTTP API: clients as people use them, and the tools that check a document, metrics
//! and keys. They are pinned in `requirements.txt`, and `scripts/install-tools` installs them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod contract;
mod curl;
mod document;
mod node;
mod prometheus;
mod python;
mod service;
